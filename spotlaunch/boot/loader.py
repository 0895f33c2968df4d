"""The script that a new machine runs first: it brings our own code, and starts it.

It is the same for virtual machines (cloud-init, EC2 user data, GCE startup script, run as root) and for containers
(``sh -c``). Whatever goes wrong, the machine ends itself: at once when the letter cannot be had for ten minutes or the
start dies, after a quarter of an hour when something hangs. It may run again, for GCE runs it at each boot and a
container whose command ends is started again: what was fetched is kept, and after the attempt has left (`left`) the
machine only ends itself.

What is secret in it (the link and the key) reaches Python through standard input, and so no list of processes.
"""

from __future__ import annotations

import hashlib

from spotlaunch.core.facts import SCRIPT_MOST_BYTES
from spotlaunch.errors import UsageError

# `up` says that the guard is awake (`agent.guard`). The sleeper in the background is for what hangs: a package
# manager, a network without an answer. AL2023 and RHEL 9 have an old `python3`, and newer ones beside it. The folder is
# the letter's own, for machines of a rehearsal may share a disk; where an image's user is not root it lies elsewhere.
_BEGIN = """#!/bin/sh
umask 77
R=${SPOTLAUNCH_ROOT:-/opt/spotlaunch/%s}
end(){ while :;do
"""
_FIND_PYTHON = """
sleep 20;done;}
mkdir -p $R||R=/tmp$R
mkdir -p $R;chmod 700 $R;cd $R||end
[ -e left ]&&end
rm -f up
(sleep 900;[ -e up ]||end)&
new(){ for V in '' .13 .12 .11;do P=python3$V
$P -c 'import sys;exit(sys.version_info<(3,10))'&&return;done;false;}
until new 2>/dev/null;do
apt-get update&&
DEBIAN_FRONTEND=noninteractive apt-get -yo DPkg::Lock::Timeout=99 install python3 ca-certificates||
dnf -y install python3.11||apk add python3
sleep 3;done
trap 'kill $C;X=exit' TERM
"""
# Errors are told by their kind alone: some have the link in their words.
_FETCH = """$P -uc '
import hashlib,io,json,os,sys,time,zipfile
from urllib.request import*
U,H,K=[l[:-1]for l in sys.stdin]
def get(u,h):return urlopen(Request(u,None,dict([h.split(": ",1)])if h else{}),None,60).read()
T=time.time()
while not os.path.exists("letter"):
 try:
  b=get(U,H);d=json.loads(b);z=get(d["agent_url"],d.get("agent_header"))
  assert hashlib.sha256(z).hexdigest()==d["agent_sha256"]
  zipfile.ZipFile(io.BytesIO(z)).extractall("code")
  open("l","wb").write(b);os.rename("l","letter")
 except Exception as e:
  print("spotlaunch:",type(e),getattr(e,"code",""))
  if time.time()-T>600:exit(1)
  time.sleep(5)
os.chdir("code")
from spotlaunch.agent.start import enter
enter(U,K)' <<'E'&
"""
# A machine that goes down must not wait for a script that ends it: when told to end, this one goes with its Python, and
# leaves the rest to the guard.
_WAIT = """
E
C=$!
while kill -0 $C 2>&-;do wait $C;done
$X
end
"""


def loader(*, url: str, header: str = "", key: str, end_command: str) -> str:
    """The script for one machine.

    ``url`` is the link to its letter (`core.wire.Letter`), ``header`` a line ``Name: value`` to send along; ``key``
    opens the letter (base64); ``end_command`` is the shell command by which the machine ends itself. Raises
    `UsageError` when the whole is longer than `SCRIPT_MOST_BYTES`, or a part cannot stand in it.
    """
    for name, part in (("url", url), ("header", header), ("key", key)):
        if "\n" in part or "\r" in part or "\0" in part:
            raise UsageError(f"the {name} of a machine's script must be one line")
    if not url or not key or not end_command.strip() or "\0" in end_command:
        raise UsageError("a machine's script needs a link, a key and a command that ends the machine")
    if header and ": " not in header:
        raise UsageError("the header of a machine's script must be a line `Name: value`")
    name = hashlib.sha256(url.encode()).hexdigest()[:8]
    script = _BEGIN % name + end_command.strip() + _FIND_PYTHON + _FETCH + f"{url}\n{header}\n{key}" + _WAIT
    size = len(script.encode())
    if size > SCRIPT_MOST_BYTES:
        raise UsageError(
            f"the script of a machine has {size} bytes, but clouds take no more than {SCRIPT_MOST_BYTES}: the link"
            f" to the letter has {len(url.encode()) + len(header.encode())}, the end command {len(end_command)}",
            hint="a shorter prefix in the store's URL makes the link shorter",
        )
    return script
