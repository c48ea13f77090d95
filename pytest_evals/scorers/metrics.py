"""Reference metrics: BLEU, chrF, ROUGE, METEOR, exact match and token F1.

BLEU and chrF are the sentence scores of `sacrebleu`, ROUGE comes from `rouge-score` and METEOR from
NLTK, so that values are comparable with papers; all are scaled to 0..1. With several references,
BLEU and chrF use all of them together, the others the best one. Exact match and token F1 normalize
like SQuAD 1.1: lower case, without punctuation and the articles a, an, the.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.boundaries import composed, tokens_of, words_of
from pytest_evals.scorers.optional_deps import import_library, missing_libraries
from pytest_evals.scorers.quoting import listed, quoted
from pytest_evals.scorers.references import (
    References,
    as_references,
    reference_problems,
    references_for,
    texts_of,
)

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_normalised(text: str) -> str:
    """Return a text in lower case, without punctuation and articles, with single spaces.

    This is the normalization of SQuAD 1.1: Rajpurkar et al. 2016, arXiv 1606.05250.
    """
    plain = composed(text).lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def token_f1(answer: str, reference: str) -> float:
    """Return the F1 of the words of an output and a reference, 0..1.

    It is 1 if both have no words, and 0 if only one has none.
    """
    answer_words, reference_words = (
        words_of(squad_normalised(answer)),
        words_of(squad_normalised(reference)),
    )
    if not answer_words or not reference_words:
        return float(answer_words == reference_words)
    same = sum((Counter(answer_words) & Counter(reference_words)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(answer_words), same / len(reference_words)
    return 2 * precision * recall / (precision + recall)


class _Metric(Scorer):
    """Compares an output with one or more references."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.REFERENCE
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "reference"
    votes: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    """The required libraries."""

    reference: Annotated[References, BeforeValidator(as_references)] = None
    """One or more references; by default the `expected` of the case."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Return the value, 0..1, and the metadata of the score."""
        raise NotImplementedError

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compute the metric."""
        references = [composed(text) for text in references_for(self.reference, ctx)]
        value, more = self.measure(composed(ctx.answer), references)
        return Verdict(
            value=min(1.0, max(0.0, value)),
            reason=f"{self.type} {value:.3f} of {quoted(ctx.answer)} against {listed(references)}",
            metadata=more,
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem for each missing library or reference."""
        yield from missing_libraries(self.type, *self.needs)
        yield from reference_problems(self.type, self.reference, case)


class _Squad(_Metric):
    """Compares by the normalization of SQuAD."""

    def _empty_reference(self, case: Case | None) -> Iterable[str]:
        """Yield a problem if a reference, of the option or of the case, is empty after it."""
        given = self.reference
        if given is None:
            given = () if case is None else tuple(texts_of(case.expected))
        empty = [text for text in given if not squad_normalised(text)]
        if empty:
            yield (
                f"`{self.type}`: the reference {quoted(empty[0])} has only punctuation and "
                "articles, so every output without other words passes; use `equals`"
            )


class ExactMatch(_Squad):
    """The output equals a reference, up to case, punctuation, articles and spaces (SQuAD)."""

    type: ClassVar[str] = "exact_match"
    votes: ClassVar[bool] = True
    graded: ClassVar[bool | None] = False
    example: ClassVar[str] = "exact_match: [Eiffel Tower, La tour Eiffel]"

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare with each reference."""
        references = references_for(self.reference, ctx)
        answer = squad_normalised(ctx.answer)
        if any(squad_normalised(text) == answer for text in references):
            return Verdict(passed=True, reason=f"the output is {quoted(ctx.answer)}")
        return Verdict(
            passed=False, reason=f"the output is {quoted(ctx.answer)}, not {listed(references)}"
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if a reference is empty after normalization."""
        yield from super().check(dataset, case)
        yield from self._empty_reference(case)


class TokenF1(_Squad):
    """The F1 of the words of the output and the best reference (SQuAD); add a `threshold`."""

    type: ClassVar[str] = "token_f1"
    example: ClassVar[str] = "{type: token_f1, reference: You have 30 days, threshold: 0.5}"

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Return the best F1."""
        return max(token_f1(answer, text) for text in references), {}

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if a reference is missing, or empty after normalization."""
        yield from super().check(dataset, case)
        yield from self._empty_reference(case)


class Bleu(_Metric):
    """Sentence BLEU of the output, by sacrebleu (13a, exp smoothing, effective order).

    Papineni et al. 2002; Post 2018, arXiv 1804.08771. Add a `threshold`.
    """

    type: ClassVar[str] = "bleu"
    cheap: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("sacrebleu",)
    example: ClassVar[str] = (
        "{type: bleu, reference: You have 30 days to return it., threshold: 0.3}"
    )

    ignore_case: bool = False
    """Whether case is ignored."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Compute the metric with sacrebleu."""
        metric = import_library("sacrebleu.metrics").BLEU(
            effective_order=True, lowercase=self.ignore_case
        )
        bleu = metric.sentence_score(answer, references)
        return bleu.score / 100, {"signature": str(metric.get_signature())}


class Chrf(_Metric):
    """chrF of the output (character 6-grams, beta 2), by sacrebleu; add a `threshold`.

    Popović 2015. With `word_order: 2` it is chrF++.
    """

    type: ClassVar[str] = "chrf"
    cheap: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("sacrebleu",)
    example: ClassVar[str] = (
        "{type: chrf, reference: You have 30 days to return it., threshold: 0.4}"
    )

    word_order: Literal[0, 1, 2] = 0
    """The maximum length of word n-grams."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Compute the metric with sacrebleu."""
        metric = import_library("sacrebleu.metrics").CHRF(word_order=self.word_order)
        chrf = metric.sentence_score(answer, references)
        return chrf.score / 100, {"signature": str(metric.get_signature())}


class _RougeTokenizer:
    """The tokens of rouge-score, in every script: its own has only ASCII letters and digits."""

    def __init__(self, *, stem: bool) -> None:
        stemmer = import_library("nltk.stem.porter").PorterStemmer() if stem else None
        self._stem = stemmer.stem if stemmer is not None else str

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens in lower case, words of more than three letters by their stems."""
        return [self._stem(word) if len(word) > 3 else word for word in tokens_of(text.lower())]


class _Rouge(_Metric):
    """One of the ROUGE scores, by rouge-score."""

    cheap: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("rouge_score",)
    kind: ClassVar[str]

    measured: Literal["f1", "precision", "recall"] = "f1"
    """The value: f1, precision or recall."""
    stem: bool = False
    """Whether English words are compared by their Porter stems."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Compute the metric with rouge-score; the reference with the best F1 counts."""
        scorer = import_library("rouge_score.rouge_scorer").RougeScorer(
            [self.kind], tokenizer=_RougeTokenizer(stem=self.stem)
        )
        rouge = scorer.score_multi(references, answer)[self.kind]
        more = {"precision": rouge.precision, "recall": rouge.recall, "f1": rouge.fmeasure}
        return more[self.measured], more


class Rouge1(_Rouge):
    """ROUGE-1 of the output (single words; Lin 2004), by rouge-score; add a `threshold`."""

    type: ClassVar[str] = "rouge_1"
    kind: ClassVar[str] = "rouge1"
    example: ClassVar[str] = "{type: rouge_1, reference: You have 30 days, threshold: 0.5}"


class Rouge2(_Rouge):
    """ROUGE-2 of the output (pairs of words; Lin 2004), by rouge-score; add a `threshold`."""

    type: ClassVar[str] = "rouge_2"
    kind: ClassVar[str] = "rouge2"
    example: ClassVar[str] = "{type: rouge_2, reference: You have 30 days, threshold: 0.5}"


class RougeL(_Rouge):
    """ROUGE-L of the output (longest common subsequence), by rouge-score; add a `threshold`.

    Lin 2004.
    """

    type: ClassVar[str] = "rouge_l"
    kind: ClassVar[str] = "rougeL"
    example: ClassVar[str] = "{type: rouge_l, reference: You have 30 days, threshold: 0.5}"


class Meteor(_Metric):
    """METEOR of the output (words and their stems, in order), by NLTK; add a `threshold`.

    Banerjee and Lavie 2005, with the weights of NLTK (alpha 0.9, beta 3, gamma 0.5). A word is a
    run of letters and digits, or any other single character. Values in papers also match synonyms:
    use `synonyms: true`, which needs the WordNet data of NLTK.
    """

    type: ClassVar[str] = "meteor"
    cheap: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("nltk",)
    example: ClassVar[str] = (
        "{type: meteor, reference: You have 30 days to return it., threshold: 0.5}"
    )

    synonyms: bool = False
    """Whether English synonyms match (install them: ``python -m nltk.downloader wordnet``)."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Compute the metric with NLTK; the best of several references counts."""
        meteor = import_library("nltk.translate.meteor_score").meteor_score(
            [_meteor_tokens(text) for text in references],
            _meteor_tokens(answer),
            stemmer=import_library("nltk.stem.porter").PorterStemmer(),
            wordnet=_wordnet() if self.synonyms else _NoSynonyms(),
        )
        return float(meteor), {}

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem for missing libraries, references or data."""
        yield from super().check(dataset, case)
        if self.synonyms and find_spec("nltk") is not None:
            try:
                _wordnet()
            except ScoringError as error:
                yield f"`meteor`: {error}"


_TOKENS = re.compile(r"\w+|[^\w\s]")


def _meteor_tokens(text: str) -> list[str]:
    """Return runs of letters and digits, and any other single character."""
    return [token for word in words_of(text) for token in _TOKENS.findall(word)]


class _NoSynonyms:
    """An empty thesaurus."""

    def synsets(self, word: str) -> tuple[()]:
        """Return no synonyms."""
        return ()


@lru_cache(maxsize=1)
def _wordnet() -> Any:
    """Return NLTK's WordNet.

    Raises:
        ScoringError: its data is not installed.
    """
    wordnet = import_library("nltk.corpus").wordnet
    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise ScoringError(
            "`synonyms: true` needs the WordNet data of NLTK, which is not installed: run "
            "python -m nltk.downloader wordnet, or remove `synonyms`"
        ) from None
    return wordnet
