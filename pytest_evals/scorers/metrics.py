"""Reference metrics: BLEU, chrF, ROUGE, METEOR, exact match and token F1.

BLEU and chrF are `sacrebleu`'s sentence scores, ROUGE is `rouge-score`'s and METEOR NLTK's, so that
figures compare with papers; all are 0 to 1 here. With several references the metric's own rule
holds (BLEU and chrF take all together, the others the best). Exact match and token F1 normalise as
SQuAD 1.1 does (lower case, punctuation and the articles a, an, the left out).
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
from pytest_evals.scorers.optional_deps import import_library, missing_libraries
from pytest_evals.scorers.quoting import listed, quoted
from pytest_evals.scorers.references import (
    References,
    as_references,
    reference_problems,
    references_for,
)

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_normalised(text: str) -> str:
    """Return a text as SQuAD 1.1 compares it: no case, no punctuation, no articles, single spaces.

    Rajpurkar et al. 2016, arXiv 1606.05250, and its evaluation script.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def token_f1(answer: str, reference: str) -> float:
    """Return the F1 of the answer's words against the reference's, 0..1.

    Two texts without a word are alike: 1; one alone without a word: 0.
    """
    answer_words, reference_words = (
        squad_normalised(answer).split(),
        squad_normalised(reference).split(),
    )
    if not answer_words or not reference_words:
        return float(answer_words == reference_words)
    same = sum((Counter(answer_words) & Counter(reference_words)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(answer_words), same / len(reference_words)
    return 2 * precision * recall / (precision + recall)


class _Metric(Scorer):
    """Compares an answer with one or more references."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.REFERENCE
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "reference"
    votes: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    """The libraries it needs."""

    reference: Annotated[References, BeforeValidator(as_references)] = None
    """One text or several; without it, the case's `expected`."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Return the value, 0..1, and what else is worth keeping."""
        raise NotImplementedError

    def score(self, ctx: ScoreContext) -> Verdict:
        """Measure."""
        references = list(references_for(self.reference, ctx))
        value, more = self.measure(ctx.answer, references)
        return Verdict(
            value=min(1.0, max(0.0, value)),
            reason=f"{self.type} {value:.3f} of {quoted(ctx.answer)} against {listed(references)}",
            metadata=more,
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """References and libraries are needed."""
        yield from missing_libraries(self.type, *self.needs)
        yield from reference_problems(self.type, self.reference, case)


class ExactMatch(_Metric):
    """The answer is a reference but for case, punctuation, articles and spacing (SQuAD)."""

    type: ClassVar[str] = "exact_match"
    votes: ClassVar[bool] = True
    graded: ClassVar[bool | None] = False
    example: ClassVar[str] = "exact_match: [Eiffel Tower, La tour Eiffel]"

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare."""
        references = references_for(self.reference, ctx)
        answer = squad_normalised(ctx.answer)
        if any(squad_normalised(text) == answer for text in references):
            return Verdict(passed=True, reason=f"the answer is {quoted(ctx.answer)}")
        return Verdict(
            passed=False, reason=f"the answer is {quoted(ctx.answer)}, not {listed(references)}"
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """A reference must have something left to compare."""
        yield from super().check(dataset, case)
        if any(not squad_normalised(text) for text in self.reference or ()):
            yield (
                "`exact_match`: a reference is empty without its punctuation and articles, so an "
                "answer of these alone would pass"
            )


class TokenF1(_Metric):
    """The F1 of the answer's words against the best reference's (SQuAD); wants a `threshold`."""

    type: ClassVar[str] = "token_f1"
    example: ClassVar[str] = "{type: token_f1, reference: You have 30 days, threshold: 0.5}"

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Take the best."""
        return max(token_f1(answer, text) for text in references), {}


class Bleu(_Metric):
    """The BLEU of the answer as one sentence, by sacrebleu (13a, exp smoothing, effective order).

    Papineni et al. 2002; Post 2018, arXiv 1804.08771. Wants a `threshold`.
    """

    type: ClassVar[str] = "bleu"
    cheap: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("sacrebleu",)
    example: ClassVar[str] = (
        "{type: bleu, reference: You have 30 days to return it., threshold: 0.3}"
    )

    ignore_case: bool = False
    """Whether upper and lower case are the same."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Ask sacrebleu."""
        metric = import_library("sacrebleu.metrics").BLEU(
            effective_order=True, lowercase=self.ignore_case
        )
        bleu = metric.sentence_score(answer, references)
        return bleu.score / 100, {"signature": str(metric.get_signature())}


class Chrf(_Metric):
    """The chrF of the answer (character 6-grams, beta 2), by sacrebleu; wants a `threshold`.

    Popović 2015. With `word_order: 2` it is chrF++.
    """

    type: ClassVar[str] = "chrf"
    cheap: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("sacrebleu",)
    example: ClassVar[str] = (
        "{type: chrf, reference: You have 30 days to return it., threshold: 0.4}"
    )

    word_order: Literal[0, 1, 2] = 0
    """Word n-grams up to this length count too."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Ask sacrebleu."""
        metric = import_library("sacrebleu.metrics").CHRF(word_order=self.word_order)
        chrf = metric.sentence_score(answer, references)
        return chrf.score / 100, {"signature": str(metric.get_signature())}


class _Rouge(_Metric):
    """One of the ROUGE scores, by rouge-score."""

    cheap: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("rouge_score",)
    kind: ClassVar[str]

    measured: Literal["f1", "precision", "recall"] = "f1"
    """Which of the three is the value."""
    stem: bool = False
    """Whether English words are compared by their Porter stems."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Ask rouge-score; the reference with the best F1 counts, as in its `score_multi`."""
        scorer = import_library("rouge_score.rouge_scorer").RougeScorer(
            [self.kind], use_stemmer=self.stem
        )
        rouge = scorer.score_multi(references, answer)[self.kind]
        more = {"precision": rouge.precision, "recall": rouge.recall, "f1": rouge.fmeasure}
        return more[self.measured], more


class Rouge1(_Rouge):
    """The ROUGE-1 of the answer (single words; Lin 2004), by rouge-score; wants a `threshold`."""

    type: ClassVar[str] = "rouge_1"
    kind: ClassVar[str] = "rouge1"
    example: ClassVar[str] = "{type: rouge_1, reference: You have 30 days, threshold: 0.5}"


class Rouge2(_Rouge):
    """The ROUGE-2 of the answer (pairs of words; Lin 2004), by rouge-score; wants a `threshold`."""

    type: ClassVar[str] = "rouge_2"
    kind: ClassVar[str] = "rouge2"
    example: ClassVar[str] = "{type: rouge_2, reference: You have 30 days, threshold: 0.5}"


class RougeL(_Rouge):
    """The ROUGE-L of the answer (longest common subsequence), by rouge-score; wants a `threshold`.

    Lin 2004.
    """

    type: ClassVar[str] = "rouge_l"
    kind: ClassVar[str] = "rougeL"
    example: ClassVar[str] = "{type: rouge_l, reference: You have 30 days, threshold: 0.5}"


class Meteor(_Metric):
    """The METEOR of the answer (words and their stems, in order), by NLTK; wants a `threshold`.

    Banerjee and Lavie 2005, with NLTK's weights (alpha 0.9, beta 3, gamma 0.5). Words are runs of
    letters and digits; every other sign is a word of its own. Figures of papers count synonyms too:
    `synonyms: true`, with the data of WordNet, which NLTK has to be given.
    """

    type: ClassVar[str] = "meteor"
    cheap: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("nltk",)
    example: ClassVar[str] = (
        "{type: meteor, reference: You have 30 days to return it., threshold: 0.5}"
    )

    synonyms: bool = False
    """Whether English synonyms match too (``python -m nltk.downloader wordnet`` brings them)."""

    def measure(self, answer: str, references: list[str]) -> tuple[float, dict[str, Any]]:
        """Ask NLTK; the best of several references counts."""
        meteor = import_library("nltk.translate.meteor_score").meteor_score(
            [_TOKENS.findall(text) for text in references],
            _TOKENS.findall(answer),
            stemmer=import_library("nltk.stem.porter").PorterStemmer(),
            wordnet=_wordnet() if self.synonyms else _NoSynonyms(),
        )
        return float(meteor), {}

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """What it needs must be there."""
        yield from super().check(dataset, case)
        if self.synonyms and find_spec("nltk") is not None:
            try:
                _wordnet()
            except ScoringError as error:
                yield f"`meteor`: {error}"


_TOKENS = re.compile(r"\w+|[^\w\s]")


class _NoSynonyms:
    """A thesaurus without an entry."""

    def synsets(self, word: str) -> tuple[()]:
        """Return no synonyms."""
        return ()


@lru_cache(maxsize=1)
def _wordnet() -> Any:
    """Return NLTK's WordNet.

    Raises:
        ScoringError: its data are not there.
    """
    wordnet = import_library("nltk.corpus").wordnet
    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise ScoringError(
            "`synonyms: true` needs NLTK's data of WordNet, which is not there: "
            "python -m nltk.downloader wordnet, or leave `synonyms` out"
        ) from None
    return wordnet
