"""Pictures are described by a model that transformers loads: tiny ones with random weights, made here."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import docx
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.loaders import LoadOptions, load
from ingest.loaders.captions import TransformersCaptioner
from ingest.sandbox import ParserPool
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError, ModelError

WORDS = ("<pad>", "<s>", "</s>", "<unk>", "a", "crane", "lifts", "two", "pallets")


def tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: id_ for id_, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def encoder_decoder(folder: Path) -> None:
    import torch
    from transformers import GPT2Config, VisionEncoderDecoderConfig, VisionEncoderDecoderModel, ViTConfig
    from transformers import ViTImageProcessorPil as ViTImageProcessor

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    encoder = ViTConfig(**sizes, image_size=32, patch_size=8)
    decoder = GPT2Config(vocab_size=len(WORDS), n_positions=64, n_embd=16, n_layer=1, n_head=2, bos_token_id=1)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    model = VisionEncoderDecoderModel(config)
    model.generation_config.update(
        decoder_start_token_id=1, pad_token_id=0, eos_token_id=2, suppress_tokens=[0, 1, 2, 3]
    )
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def blip(folder: Path) -> None:
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration
    from transformers import BlipImageProcessorPil as BlipImageProcessor

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    text = {**sizes, "vocab_size": len(WORDS), "bos_token_id": 1, "sep_token_id": 2, "eos_token_id": 2}
    vision = {**sizes, "image_size": 32, "patch_size": 8}
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=16)
    model = BlipForConditionalGeneration(config)
    model.generation_config.update(suppress_tokens=[0, 1, 2, 3])
    model.save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


@pytest.fixture(scope="module", params=[encoder_decoder, blip], ids=["encoder-decoder", "blip"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captioner")
    request.param(folder)
    tokenizer(folder)
    return folder


def photograph(*lines: str) -> bytes:
    """Larger than what counts as a bullet or a logo."""
    image = Image.effect_noise((300, 200), 40).convert("RGB") if not lines else Image.new("RGB", (1200, 900), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((40, 40 + 50 * number), line, "black", ImageFont.load_default(30))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_a_picture_is_described_in_the_words_of_the_model(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(photograph())
    options = LoadOptions(ocr=False, captioner=partial(TransformersCaptioner, model))
    with ParserPool(options) as parsers:
        [parsed] = parsers.parse([tmp_path / "a.png"])
    assert parsed.error is None
    caption = parsed.documents[0].page_content
    assert caption.startswith("![")
    assert caption.endswith("](image)")
    words = caption.removeprefix("![").removesuffix("](image)").split()
    assert words
    assert set(words) <= set(WORDS[4:])


def test_a_folder_without_such_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded as a model that describes images"):
        TransformersCaptioner(tmp_path)


def crane() -> Callable[[bytes], str]:
    def caption(data: bytes) -> str:
        with Image.open(io.BytesIO(data)) as picture:
            return f"a crane, {picture.width} pixels wide"

    return caption


DESCRIBED = LoadOptions(captioner=crane)


def test_a_caption_stands_below_the_words_of_a_sign_but_not_below_a_page(tmp_path: Path) -> None:
    (tmp_path / "sign.png").write_bytes(photograph("Gate closes at six"))
    (tmp_path / "page.png").write_bytes(photograph(*["Visitors sign in at the gate and wear a badge."] * 10))
    [sign], [page] = load(tmp_path / "sign.png", DESCRIBED), load(tmp_path / "page.png", DESCRIBED)
    assert sign.page_content == "Gate closes at six\n\n![a crane, 1200 pixels wide](image)"
    assert "crane" not in page.page_content


def test_pictures_in_a_document_are_described_where_they_stand(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Before.")
    document.add_picture(io.BytesIO(photograph()))
    document.add_paragraph("After.")
    document.save(str(tmp_path / "a.docx"))
    [page] = load(tmp_path / "a.docx", DESCRIBED)
    before, caption, after = page.page_content.split("\n\n")
    assert (before, caption, after) == ("Before.", "![a crane, 300 pixels wide](image)", "After.")


def test_every_page_of_a_fax_is_described_and_has_its_place(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (width, 50), "white") for width in (100, 200)]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    first, second = load(tmp_path / "a.tiff", LoadOptions(ocr=False, captioner=crane))
    assert "100 pixels" in first.page_content
    assert "200 pixels" in second.page_content
    assert [page.metadata["place"] for page in (first, second)] == [Place("page", 1), Place("page", 2)]


def broken() -> Callable[[bytes], str]:
    raise ModelError("tiny cannot be loaded as a model that describes images")


def test_a_model_that_does_not_load_is_the_reason_given(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(photograph())
    with pytest.raises(DocumentError, match="tiny cannot be loaded"):
        list(load(tmp_path / "a.png", LoadOptions(captioner=broken)))
