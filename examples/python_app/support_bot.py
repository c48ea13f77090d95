"""A small support bot: the application under test."""

import asyncio

POLICY = {
    "return": "You have 30 days to return it, with the receipt.",
    "refund": "We pay it back within 5 working days.",
    "gift card": "Gift cards cannot be refunded.",
    "ship": "Shipping is free from 40 euros.",
}
ORDERS = {"1234": "shipped", "5678": "delivered"}


class Bot:
    """Answers from the policy, and looks orders up."""

    def __init__(self, greeting: str = "") -> None:
        self.greeting = greeting

    def answer(self, question: str) -> dict:
        calls = []
        for number, status in ORDERS.items():
            if number in question:
                calls.append(
                    {"name": "find_order", "arguments": {"order": number}, "result": status}
                )
                return {"text": f"{self.greeting}Order {number} is {status}.", "tool_calls": calls}
        return {"text": self.greeting + lookup(question), "tool_calls": calls}


def lookup(question: str) -> str:
    found = [text for word, text in POLICY.items() if word in question.lower()]
    return found[-1] if found else "I do not know; a colleague will write to you."


# What the dataset names: a method of an object, and a coroutine that asks for the context too.
bot = Bot()


async def polite(question: str, context) -> str:
    await asyncio.sleep(0.01)  # a database, a search, a model
    name = context.variables.get("name", "there")
    return f"Hello {name}! {lookup(question)}"
