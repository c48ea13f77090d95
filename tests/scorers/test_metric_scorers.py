"""Reference metrics and likeness, against the libraries they are named after and other oracles."""

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.scorers.metrics import squad_normalised, token_f1

pytest.importorskip("sacrebleu")
pytest.importorskip("rouge_score")
pytest.importorskip("rapidfuzz")

WORDS = "the a cat dog sat on mat red, blue. returns days 30 you have within".split()  # noqa: SIM905
WORD = st.sampled_from(WORDS)


def _texts(seed):
    """A random answer and two random references."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 25))) for _ in range(3)]


@pytest.mark.parametrize("seed", range(25))
def test_bleu_and_chrf_are_sacrebleus_sentence_scores(bench, seed):
    """With one reference and with two, divided by 100."""
    import sacrebleu

    answer, *references = _texts(seed)
    for given_ in (references[:1], references):
        bleu = sacrebleu.sentence_bleu(answer, given_).score / 100
        chrf = sacrebleu.sentence_chrf(answer, given_).score / 100
        plus = sacrebleu.sentence_chrf(answer, given_, word_order=2).score / 100
        assert min(1.0, bleu) == bench.score({"bleu": given_}, answer).value
        assert min(1.0, chrf) == bench.score({"chrf": given_}, answer).value
        written = {"chrf": {"reference": given_, "word_order": 2}}
        assert min(1.0, plus) == bench.score(written, answer).value


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("kind", ["1", "2", "L"])
@pytest.mark.parametrize("stem", [False, True])
def test_rouge_is_rouge_scores(bench, seed, kind, stem):
    """F1, precision and recall; the best of several references."""
    from rouge_score.rouge_scorer import RougeScorer

    answer, *references = _texts(seed)
    theirs = [
        RougeScorer([f"rouge{kind}"], use_stemmer=stem).score(text, answer)[f"rouge{kind}"]
        for text in references
    ]
    best = max(theirs, key=lambda score: score.fmeasure)
    for name, value in zip(("precision", "recall", "f1"), best, strict=True):
        written = {"type": f"rouge_{kind.lower()}", "reference": references, "stem": stem}
        assert value == bench.score({**written, "measured": name}, answer).value


def _squad(prediction, truth):
    """An independent reading of SQuAD's F1: by positions, one for one."""
    found, wanted = squad_normalised(prediction).split(), squad_normalised(truth).split()
    if not found or not wanted:
        return float(found == wanted)
    left, same = list(wanted), 0
    for word in found:
        if word in left:
            left.remove(word)
            same += 1
    return 2 * same / (len(found) + len(wanted))


@given(st.lists(WORD).map(" ".join), st.lists(WORD).map(" ".join))
def test_token_f1_is_the_overlap_of_words(answer, reference):
    """2 · same / (words + words), symmetric, 1 for itself."""
    assert token_f1(answer, reference) == pytest.approx(_squad(answer, reference))
    assert token_f1(answer, reference) == pytest.approx(token_f1(reference, answer))
    assert token_f1(answer, answer) == 1.0


@pytest.mark.parametrize(
    ("text", "plain"),
    [("The  Eiffel-Tower!", "eiffeltower"), ("an apple a day", "apple day"), ("It's", "its"),
     ("Theory of a thing", "theory of thing"), ("", ""), ("the", "")],
)  # fmt: skip
def test_squads_normalisation(text, plain):
    """Lower case, without punctuation and articles, single spaces."""
    assert plain == squad_normalised(text)


def test_exact_match_takes_any_reference(bench):
    """But for case, punctuation and articles."""
    assert bench.passes({"exact_match": ["Eiffel Tower", "La tour"]}, "the eiffel tower.")
    assert not bench.passes({"exact_match": ["Eiffel Tower"]}, "Eiffel Towers")
    assert bench.passes("exact_match", "42", expected=["41", 42])


def test_the_best_reference_counts(bench):
    """For token F1."""
    written = {"token_f1": ["nothing alike", "You have 30 days"]}
    assert bench.score(written, "you have 30 days").value == 1.0


@given(st.text(max_size=25), st.text(max_size=25))
def test_levenshtein_counts_single_edits(one, other):
    """Against the textbook's table."""
    from rapidfuzz.distance import Levenshtein

    row = list(range(len(other) + 1))
    for i, c in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, d in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (c != d))
    assert row[-1] == Levenshtein.distance(one, other)


def test_levenshtein_scores_the_nearest_reference(bench):
    """Its value is the share that needs no edit, its verdict the distance."""
    written = {"levenshtein": {"reference": ["sitting", "xxxxxxxx"], "max": 3}}
    scored = bench.score(written, "kitten")
    assert (scored.passed, scored.metadata, scored.value) == (True, {"distance": 3}, 1 - 3 / 7)
    assert not bench.passes({"levenshtein": {"reference": "sitting", "max": 2}}, "kitten")
    assert bench.score({"levenshtein": {"reference": "a"}}, "b").passed is None
    assert bench.passes(
        {"type": "levenshtein", "reference": "Ab", "ignore_case": True, "max": 0}, "aB"
    )


@pytest.mark.parametrize("seed", range(10))
def test_similarity_is_rapidfuzzs(bench, seed):
    """Each method, 0 to 1."""
    from rapidfuzz import fuzz
    from rapidfuzz.distance import JaroWinkler

    answer, reference, _ = _texts(seed)
    theirs = {
        "ratio": fuzz.ratio(answer, reference) / 100,
        "partial": fuzz.partial_ratio(answer, reference) / 100,
        "token_sort": fuzz.token_sort_ratio(answer, reference) / 100,
        "token_set": fuzz.token_set_ratio(answer, reference) / 100,
        "jaro_winkler": JaroWinkler.similarity(answer, reference),
    }
    for method, value in theirs.items():
        written = {"similarity": {"reference": reference, "method": method}}
        assert value == pytest.approx(bench.score(written, answer).value)


@pytest.mark.parametrize(
    "name", ["bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "token_f1", "similarity"]
)
def test_a_bare_metric_does_not_vote_and_a_threshold_makes_it(bench, name):
    """It has a value either way, 0 for an empty answer and 1 for the reference itself."""
    reference = "You have thirty days to return the blue one"
    bare = bench.bind({name: reference})
    assert (bare.votes, bench.score({name: reference}, reference).passed) == (False, None)
    assert bench.score({name: reference}, reference).value == pytest.approx(1.0)
    assert bench.score({name: reference}, "").value == 0.0
    voting = {"type": name, "reference": reference, "threshold": 0.5}
    assert bench.bind(voting).votes
    assert bench.passes(voting, reference)
    assert bench.passes(voting, "") is False


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [("bleu", "sacrebleu", "metrics"), ("rouge_1", "rouge_score", "metrics"),
     ("similarity", "rapidfuzz", "metrics"), ("language", "py3langid", "language"),
     ("is_sql", "sqlglot", "sql")],
)  # fmt: skip
def test_a_missing_library_is_a_problem_that_names_the_extra(
    bench, monkeypatch, name, library, extra
):
    """When the dataset is collected, and as an error when it is scored all the same."""
    from pytest_evals.scorers.optional_deps import import_library as imported

    imported.cache_clear()
    for module in [m for m in sys.modules if m.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)

    class Hide:
        """Finds nothing of that library."""

        def find_spec(self, fullname, path=None, target=None):
            """Refuse it."""
            if fullname.partition(".")[0] == library:
                raise ModuleNotFoundError(fullname, name=fullname)

    monkeypatch.setattr(sys, "meta_path", [Hide(), *sys.meta_path])
    monkeypatch.setattr("pytest_evals.scorers.optional_deps.find_spec", lambda _: None)
    written = {name: "en" if name == "language" else "sqlite" if name == "is_sql" else "a b"}
    (problem,) = bench.problems(written)
    assert f"pip install 'pytest-evals-matrix[{extra}]'" in problem
    scored = bench.score(written, "some words")
    assert scored.kind == "error"
    assert library in scored.message
    imported.cache_clear()


@pytest.mark.parametrize(
    ("code", "text"),
    [("en", "You have thirty days to send the parcel back to our shop."),
     ("de", "Sie haben dreißig Tage Zeit, um das Paket zurückzusenden."),
     ("fr", "Vous avez trente jours pour renvoyer le colis à notre magasin."),
     ("ja", "三十日以内に荷物を返送してください。")],
)  # fmt: skip
def test_the_language_of_a_sentence(bench, code, text):
    """Its own code passes, another fails."""
    pytest.importorskip("py3langid")
    assert bench.passes({"language": code}, text)
    other = "de" if code != "de" else "en"
    scored = bench.score({"language": {"code": other, "among": ["de", "en", "fr", "ja"]}}, text)
    assert (scored.passed, scored.label) == (False, code)
    assert scored.value < 0.5


def test_an_answer_without_words_has_no_language(bench):
    """It fails, it is no error."""
    pytest.importorskip("py3langid")
    assert bench.passes({"language": "en"}, "42 !?") is False


@pytest.mark.parametrize("seed", range(25))
def test_meteor_is_nltks_without_synonyms(bench, seed):
    """The best of several references; punctuation is words of its own."""
    score = pytest.importorskip("nltk.translate.meteor_score")
    answer, *references = _texts(seed)

    class Thesaurus:
        def synsets(self, word):
            return []

    def split(text):
        return text.replace(",", " , ").replace(".", " . ").split()

    theirs = score.meteor_score([*map(split, references)], split(answer), wordnet=Thesaurus())
    assert theirs == bench.score({"meteor": references}, answer).value


def test_meteor_knows_stems_and_order(bench):
    """A word in another form counts as itself; the same words in another order count less."""
    assert bench.score({"meteor": "he returns cards"}, "he returned card").value > 0.9
    right, turned = (
        bench.score({"meteor": "the dog bit the man"}, answer).value
        for answer in ("the dog bit the man", "the man bit the dog")
    )
    assert right > turned
    assert 0.0 == bench.score({"meteor": "one"}, "").value


def test_meteor_says_where_synonyms_come_from(bench):
    """Without WordNet's data it is refused when the dataset is collected; with it, they count."""
    corpus = pytest.importorskip("nltk.corpus")
    written = {"type": "meteor", "reference": "a big car", "synonyms": True, "threshold": 0.5}
    try:
        corpus.wordnet.ensure_loaded()
    except LookupError:
        (problem,) = bench.problems(written)
        assert "python -m nltk.downloader wordnet" in problem
        assert bench.score(written, "a").kind == "error"
    else:
        plain = bench.score({**written, "synonyms": False}, "a big automobile").value
        assert bench.score(written, "a big automobile").value > plain
