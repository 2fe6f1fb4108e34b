"""SVG to stand inside a page: ids of its own, and colours that follow the page's."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from scirepeval_harness.report.plots import style

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
VARIABLES = {
    style.INK: "var(--ink)",
    style.MUTED: "var(--muted)",
    style.LINE: "var(--line)",
    style.BETTER: "var(--better)",
    style.WORSE: "var(--worse)",
    style.PAPER: "var(--paper)",
}
REFERENCE = re.compile(r"url\(#")


def inline_svg(plot: style.Plot) -> str:
    """The plot without prolog and background, its ids prefixed, its colours the page's variables.

    The text is parsed and written anew, so that nothing but elements of the picture gets out.
    """
    ET.register_namespace("", SVG)
    root = ET.fromstring(plot.svg)
    for parent in list(root.iter()):
        for child in list(parent):
            background = child.get("id") == "patch_1"
            if background or child.tag == f"{{{SVG}}}metadata":
                parent.remove(child)
    for element in root.iter():
        _rewrite(element, f"{plot.name}-")
    # The size on the page is that of the picture in points of 4/3 pixels, as matplotlib means it.
    points = float(str(root.get("width")).removesuffix("pt"))
    root.set("style", f"--natural: {points * 4 / 3:.0f}px")
    del root.attrib["width"], root.attrib["height"]
    root.set("role", "img")
    root.set("aria-label", f"{plot.title}. {plot.text}")
    return ET.tostring(root, encoding="unicode")


def _rewrite(element: ET.Element, prefix: str) -> None:
    for name, value in list(element.attrib.items()):
        if name == "id":
            element.set(name, prefix + value)
        elif name in ("href", f"{{{XLINK}}}href"):
            del element.attrib[name]
            element.set("href", "#" + prefix + value.removeprefix("#"))
        elif name in ("style", "fill", "stroke", "clip-path"):
            text = REFERENCE.sub(f"url(#{prefix}", value)
            for colour, variable in VARIABLES.items():
                text = text.replace(colour, variable)
            element.set(name, text)
