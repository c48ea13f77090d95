#!/usr/bin/env bash
# LiteLLM 1.110.2: a generation that failed is reported as finished.
#
# OpenRouter ends a choice with `finish_reason: error` if its upstream fails in the middle of an output;
# the status is 200 and the text is what had arrived by then. One would expect the reason to stay, or an
# exception. LiteLLM reports `finish_reason: stop`, so half an output looks whole. The original is kept
# only in `choices[0].provider_specific_fields["native_finish_reason"]`.
# A body without `usage` is likewise reported as `usage` of 0 tokens: absent becomes zero.
#
# Output seen:
#   finish_reason sent 'error', reported 'stop', native 'error', text 'half an'
#   usage sent None, reported 0 tokens
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q litellm==1.110.2 2>/dev/null

cat > "$work/try.py" <<'PY'
import http.server
import json
import os
import threading

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
BODY = json.dumps({
    "id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{
        "index": 0, "finish_reason": "error",
        "message": {"role": "assistant", "content": "half an"},
    }],
}).encode()


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
import litellm

answer = litellm.completion(
    model="openai/m", api_base=f"http://127.0.0.1:{server.server_port}/v1", api_key="none",
    messages=[{"role": "user", "content": "hello"}],
)
choice = answer.choices[0]
native = (choice.provider_specific_fields or {}).get("native_finish_reason")
print(f"finish_reason sent 'error', reported {choice.finish_reason!r}, native {native!r}, "
      f"text {choice.message.content!r}")
print(f"usage sent None, reported {answer.usage.total_tokens} tokens")
PY

"$work/venv/bin/python" -W ignore "$work/try.py" 2>/dev/null > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'OUT' || { echo "LiteLLM behaves differently now"; exit 1; }
finish_reason sent 'error', reported 'stop', native 'error', text 'half an'
usage sent None, reported 0 tokens
OUT
