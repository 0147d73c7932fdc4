"""What in a text tells who somebody is. Pure text: no input, no output, no model."""

from daybook.pii.detect import KINDS, SHAPES, Detector, detect
from daybook.pii.mask import excerpt, masked, masked_html
from daybook.pii.spans import Span

__all__ = ["KINDS", "SHAPES", "Detector", "Span", "detect", "excerpt", "masked", "masked_html"]
