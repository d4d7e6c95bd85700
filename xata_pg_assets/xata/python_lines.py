"""What `xreplay` writes as JSON: one record a line, as Python prints a dict."""

from __future__ import annotations

from xata_pg_assets.xata.json_lines import JsonLines
from xata_pg_assets.xata.json_pages import Form
from xata_pg_assets.xata.json_rows import Decode
from xata_pg_assets.xata.python_text import decode_dict

__all__ = ["PythonLines"]


class PythonLines(JsonLines):
    """One table's file of records, each a Python dict on a line."""

    dialect = "xreplay log"
    _form = Form("log")
    _decode: Decode = staticmethod(decode_dict)
