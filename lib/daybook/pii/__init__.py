"""What in a text tells who somebody is. Pure text: no input, no output, no model."""

from daybook.pii.detect import KINDS, Span, detect
from daybook.pii.mask import excerpt, masked, masked_html

__all__ = ["KINDS", "Span", "detect", "excerpt", "masked", "masked_html"]
