"""A support agent on OpenAI's SDK, which may look an order up. Nothing in it knows of evals."""

import json

from openai import OpenAI

client = OpenAI()  # OPENAI_API_KEY, and OPENAI_BASE_URL where it is not OpenAI itself

ORDERS = {"1234": "shipped on Monday", "5678": "delivered"}
SYSTEM = "You are the support of a shop. Look an order up before you speak of it."
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Where an order is.",
        "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
    },
}


def answer(question: str) -> dict:
    """Answer a customer, looking orders up as often as the model wants to."""
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    made = []
    for _ in range(4):
        reply = client.chat.completions.create(
            model="gpt-4.1-mini", temperature=0, messages=messages, tools=[TOOL]
        )
        message = reply.choices[0].message
        if not message.tool_calls:
            return {"text": message.content, "tool_calls": made}
        for call in message.tool_calls:
            arguments = json.loads(call.function.arguments)
            found = ORDERS.get(arguments["order"], "unknown")
            made.append({"name": call.function.name, "arguments": arguments, "result": found})
            function = {"name": call.function.name, "arguments": call.function.arguments}
            asked = {"id": call.id, "type": "function", "function": function}
            messages.append({"role": "assistant", "tool_calls": [asked]})
            messages.append({"role": "tool", "tool_call_id": call.id, "content": found})
    return {"text": "I could not find that out.", "tool_calls": made}
