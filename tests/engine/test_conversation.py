"""The requests of a case, turn by turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.engine.conversation import first_messages, following, request_of, turns_of
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message, ToolCall
from tests.engine._fakes import dataset_of, trial_of, trials_of


def texts(messages):
    """Return roles and texts."""
    return [(message.role, message.text) for message in messages]


def test_a_text_is_the_users_message():
    """Other inputs are written as JSON, and none is no message."""
    assert texts(first_messages(trial_of(input="hi"))) == [("user", "hi")]
    assert texts(first_messages(trial_of(input={"b": 1, "a": 2}))) == [("user", '{"a":2,"b":1}')]
    assert first_messages(trial_of(input=None)) == ()


def test_chat_messages_are_the_thread():
    """As they are in the dataset."""
    chat = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    trial = trial_of(input=chat)
    assert texts(first_messages(trial)) == [("system", "be brief"), ("user", "hi")]
    assert request_of(trial, first_messages(trial), 0).input == chat


def test_a_prompt_is_rendered_with_variables_and_input():
    """Also the texts among the parts of a message; other parts are left alone."""
    image = {"type": "image_url", "image_url": {"url": "{{ input }}"}}
    prompt = {
        "messages": [
            {"role": "system", "content": "speak {{ language }}"},
            {"role": "user", "content": [{"type": "text", "text": "about {{ input }}"}, image]},
        ]
    }
    dataset = dataset_of({"variables": {"language": "French"}}, prompt=prompt)
    system, user = first_messages(trials_of(dataset)[0])
    assert system.text == "speak French"
    assert user.content == [{"type": "text", "text": "about hi"}, image]


def test_a_prompt_that_does_not_render_names_itself():
    """It is an error of the trial, not of the session."""
    prompt = {"messages": [{"role": "user", "content": "{{ missing }}"}]}
    with pytest.raises(AnswerError, match=r"the prompt: .*missing") as error:
        first_messages(trials_of(dataset_of({}, prompt=prompt))[0])
    assert error.value.type == "template"


def test_a_request_has_all_that_the_case_the_dataset_and_the_model_say():
    """Provider and store see nothing else."""
    tools = ({"type": "function", "function": {"name": "f"}},)
    dataset = dataset_of(
        {"input": None, "turns": ["a", "b"], "variables": {"x": 1}},
        tools=tools,
        response_format={"type": "json_object"},
    )
    (trial,) = trials_of(dataset)
    request = request_of(trial, (), 1)
    assert (request.input, request.turn, request.turns) == ("b", 1, 2)
    assert (request.variables, request.tools) == ({"x": 1}, tools)
    assert request.response_format == {"type": "json_object"}
    assert (request.case_id, request.model_id, request.sample) == ("c0", "m", 0)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_thread_grows_by_an_answer_and_the_next_turn(turns):
    """Nothing before it is changed."""
    trial = trial_of(input=None, turns=turns)
    assert turns_of(trial) == tuple(turns)
    messages = first_messages(trial)
    for number, turn in enumerate(turns[1:]):
        longer = following(messages, Response(text=f"answer {number}"), turn)
        assert longer[: len(messages)] == messages
        assert texts(longer[len(messages) :]) == [("assistant", f"answer {number}"), ("user", turn)]
        messages = longer


def test_tool_calls_with_results_stay_in_the_thread():
    """The model sees what its tools returned, an error included."""
    calls = (
        ToolCall(name="f", id="1", arguments={}, result={"a": 1}, captured=True),
        ToolCall(name="g", id="2", arguments={}, error="boom", captured=True),
    )
    messages = following((), Response(text="done", tool_calls=calls), "next")
    assert texts(messages) == [
        ("assistant", ""), ("tool", '{"a":1}'), ("tool", "boom"), ("assistant", "done"),
        ("user", "next"),
    ]  # fmt: skip
    assert [m.tool_call_id for m in messages[1:3]] == ["1", "2"]


@pytest.mark.parametrize(
    "call", [{"name": "f", "id": "1"}, {"name": "f", "captured": True}], ids=["no result", "no id"]
)
def test_tool_calls_without_results_are_left_out(call):
    """Servers reject them."""
    response = Response(text="done", tool_calls=(ToolCall(arguments={}, **call),))
    assert texts(following((), response, "next")) == [("assistant", "done"), ("user", "next")]


def test_messages_of_the_provider_are_used_as_they_are():
    """It knows the real thread."""
    own = (Message(role="assistant", content="raw"),)
    assert following((), Response(text="done", messages=own), "next")[:-1] == own
