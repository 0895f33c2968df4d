"""How a pod ends itself. A container whose command exits is started again and billed on, so it deletes its pod.

The way stands in a variable of the container, since clouds' boot scripts have little room: `END_COMMAND` runs it. The
key is the pod's own, which RunPod puts into each container; it stands in no argument of a process.
"""

from __future__ import annotations

VARIABLE = "SPOTLAUNCH_END"
END_COMMAND = f'sh -c "${VARIABLE}"'

# REST first. One report has it that a pod's own key is good for GraphQL only [L], which ends early in 2027. A name for
# the program is given, since Cloudflare refuses those of Python's libraries.
_PROGRAM = r"""ask() {
  if command -v curl >/dev/null 2>&1; then
    printf 'Authorization: Bearer %s\n' "$RUNPOD_API_KEY" | curl -fsS -m 30 -o /dev/null -A spotlaunch -H @- \
      -H 'Content-Type: application/json' -X "$1" ${3:+-d "$3"} "$2"
  else
    python3 -c '
import os, sys, urllib.request
method, url, body = sys.argv[1:]
headers = {"User-Agent": "spotlaunch", "Content-Type": "application/json"}
headers["Authorization"] = "Bearer " + os.environ["RUNPOD_API_KEY"]
asked = urllib.request.Request(url, body.encode() or None, headers, method=method)
try:
    urllib.request.urlopen(asked, timeout=30)
except OSError as e:
    sys.exit(f"{method}: {e}")
' "$1" "$2" "$3"
  fi
}
ask DELETE "@endpoint/v2/pods/$RUNPOD_POD_ID" "" ||
ask POST "@endpoint/graphql" "{\"query\":\"mutation { podTerminate(input: {podId: \\\"$RUNPOD_POD_ID\\\"}) }\"}"
"""


def program(endpoint: str) -> str:
    """The value of `VARIABLE`: a shell program that ends the pod it runs in, by the API at ``endpoint``."""
    return _PROGRAM.replace("@endpoint", endpoint)
