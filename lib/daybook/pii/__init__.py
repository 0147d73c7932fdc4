"""What in a text tells who somebody is. Pure text: no input, no output, no model."""

from daybook.pii.detect import IDENTIFYING, KINDS, SHAPES, Detector, detect
from daybook.pii.mask import excerpt, masked, masked_html
from daybook.pii.spans import Span

__all__ = ["IDENTIFYING", "KINDS", "SHAPES", "Detector", "Span", "detect", "excerpt", "masked", "masked_html"]
