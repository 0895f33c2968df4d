"""What AWS would say to a policy of ours: just enough of its rules, with its special letters."""

from __future__ import annotations

import re
from typing import Any


def fits(pattern: str, text: str) -> bool:
    """Whether ``text`` is meant: ``*`` is anything, ``?`` one letter, and ``${*}`` a star."""
    parts = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    words = {"*": ".*", "?": "."}
    said = "".join(words.get(p, re.escape(p[2] if p.startswith("${") and p.endswith("}") else p)) for p in parts)
    return re.fullmatch(said, text, re.DOTALL) is not None


def allows(policy: dict[str, Any], action: str, resource: str, *, prefix: str | None = None) -> bool:
    """Whether any statement allows ``action`` on ``resource``; ``prefix`` is what a listing asks for."""
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in a for a in actions)
        condition = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        held = condition is None or (prefix is not None and fits(condition, prefix))
        if action in actions and fits(statement["Resource"], resource) and held:
            return True
    return False
