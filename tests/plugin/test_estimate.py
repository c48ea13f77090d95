"""``--collect-only`` tells what a session would ask and cost."""

DATASET = """
    name: bot
    models:
      - id: m
        provider: openai
        model: x
        base_url: http://127.0.0.1:9/v1
        params: {max_tokens: 100}
        price: {input: 1, output: 2}
      - {id: free, provider: openai, model: y, base_url: "http://127.0.0.1:9/v1"}
    samples: 5
    scorers: [{contains: x}]
    cases:
      - {id: a, input: "0123456789012345678901234567890123456789"}
      - {id: b, turns: ["01234567", "01234567"]}
"""


def test_without_history_the_prompts_length_tells(write, evals):
    """40 characters, then two calls of 8 and 16: ten tokens and six, five times."""
    result = evals("--collect-only", write("bot.evals.yaml", DATASET))
    assert (
        "of answers, at most $0.0031 (by the prompts' length; no stored run" in result.stdout.str()
    )
    result.stdout.fnmatch_lines(
        [
            "evals: bot: 2 cases x 2 models (m, free) x 5 samples = 20 trials",
            "evals: estimate: m: 15 calls, about 80 tokens of prompts and at most 1,500 of answers*",
            "evals: estimate: free: 15 calls, about 80 tokens of prompts (by the prompts' length*)",
        ]
    )


def test_an_earlier_run_tells_better(write, evals):
    """The mean of the last run's trials, for as many as are selected now."""
    write(
        "app.py",
        """
        def answer(text):
            return {"text": text, "usage": {"input_tokens": 30, "output_tokens": 20}, "cost_usd": 0.01}
        """,
    )
    name = write(
        "app.evals.yaml",
        """
        models: [{id: app, provider: python, target: "app.py:answer"}]
        scorers: [{contains: x}]
        cases: [{id: a, input: x1}, {id: b, input: x2}]
        """,
    )
    evals(name)
    result = evals("--collect-only", "--evals-samples=5", name)
    result.stdout.fnmatch_lines(
        ["evals: estimate: app: 10 calls, about 500 tokens, $0.1000 (by run *)"]
    )


def test_recorded_answers_cost_nothing(support, evals):
    """A script is no call."""
    result = evals("--collect-only", support)
    result.stdout.fnmatch_lines(["evals: estimate: good: no calls, its answers are recorded"])


def test_nothing_is_asked_or_written(support, evals, pytester):
    """``--collect-only`` leaves no trace."""
    evals("--collect-only", support)
    assert not pytester.path.joinpath(".evals").exists()
