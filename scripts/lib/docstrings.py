"""Shows the examples of docstrings as code on the site: mkdocstrings knows ``Examples:`` alone."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

#: A line with ``::``, and the block below that is indented further.
_CODE = re.compile(r"^( *)::\n\n((?:\1 +.*(?:\n|\Z)|\n)+)", re.MULTILINE)


def _fenced(found: re.Match[str]) -> str:
    code = textwrap.indent(textwrap.dedent(found[2]).strip(), found[1])
    return f"{found[1]}```python\n{code}\n{found[1]}```\n"


class Examples(griffe.Extension):
    """Renames the section ``Example:``, and fences the code that follows a ``::``."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of ``obj``, before it is read.

        Args:
            obj: A module, class, function or attribute.
            kwargs: Nothing that is used here.
        """
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = _CODE.sub(_fenced, text)
