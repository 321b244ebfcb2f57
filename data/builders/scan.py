"""A scanned page: text drawn as an image, turned a little, with noise, and no text layer."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .source import Source

WIDTH, HEIGHT = 1240, 1754  # A4 at 150 dots per inch
ANGLE = 0.9
SPECKS = 1400


def draw_page(text: str) -> Image.Image:
    """Draw the text and make it look like a photocopy."""
    page = Image.new("L", (WIDTH, HEIGHT), 247)
    pen = ImageDraw.Draw(page)
    y = 130
    for number, line in enumerate(text.strip("\n").splitlines()):
        size = 40 if number < 2 else 29
        indent = 34 * ((len(line) - len(line.lstrip())) // 3)
        font = ImageFont.load_default(size=size)
        name, gap, rest = line.strip().partition("  ")
        pen.text((130 + indent, y), name, font=font, fill=38)
        if gap:
            pen.text((560, y), rest.strip(), font=font, fill=38)
        y += size + 12
    pen.rectangle((95, 95, WIDTH - 95, min(y + 40, HEIGHT - 60)), outline=70, width=3)
    page = page.rotate(ANGLE, resample=Image.Resampling.BICUBIC, fillcolor=247)
    page = page.filter(ImageFilter.GaussianBlur(0.7))
    dice = random.Random(1987)
    for _ in range(SPECKS):
        spot = (dice.randrange(WIDTH), dice.randrange(HEIGHT))
        page.putpixel(spot, dice.choice((90, 150, 190, 225)))
    return page


def build_scan(source: Source, path: Path) -> None:
    """Write a PDF with one image of the page."""
    buffer = BytesIO()
    draw_page(source.body).save(buffer, format="JPEG", quality=62)
    pdf = FPDF(format="A4")
    pdf.set_producer("CopyCentre 300")
    pdf.set_creation_date(source.date)
    pdf.add_page()
    pdf.image(buffer, x=0, y=0, w=210, h=297)
    pdf.output(str(path))
