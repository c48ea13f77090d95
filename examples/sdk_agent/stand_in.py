"""A stand-in for OpenAI's server, for those without a key: `python stand_in.py`."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def reply(messages: list[dict]) -> dict:
    """Say what a model would."""
    last = messages[-1]
    question = next(m["content"] for m in messages if m["role"] == "user")
    order = re.search(r"\d{4}", question)
    if order and last["role"] == "user":
        arguments = json.dumps({"order": order[0]})
        function = {"name": "find_order", "arguments": arguments}
        call = {"id": f"call_{order[0]}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if order and last["content"] == "unknown":
        text = f"I am sorry, I cannot find order {order[0]}."
    elif order:
        text = f"Your order {order[0]} was {last['content']}."
    else:
        text = "You have 30 days to return it, with the receipt."
    return {"role": "assistant", "content": text}


class Handler(BaseHTTPRequestHandler):
    """Answers chat completions."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = reply(asked["messages"])
        read, written = len(json.dumps(asked)) // 4, len(json.dumps(message)) // 4
        usage = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {"id": "x", "object": "chat.completion", "created": 0, "model": asked["model"]}
        body = json.dumps({**whole, "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8123), Handler).serve_forever()
