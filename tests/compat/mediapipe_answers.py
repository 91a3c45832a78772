"""Run by test_mediapipe.py in MediaPipe's environment: what MediaPipe Tasks' ImageClassifier says, as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def main(task: str, resized: str) -> None:
    """Read `{"models": [...], "photos": [...]}` from `task` and the photos resized, uint8 `[n, S, S, 3]`, by us."""
    wanted = json.loads(Path(task).read_text(encoding="utf-8"))
    pixels = np.load(resized)
    answers = []
    for model in wanted["models"]:
        answer: dict[str, Any] = {"metadata": decode_metadata(Path(model))}
        try:
            with open_classifier(model) as classifier:
                answer["resized"] = [classify(classifier, each) for each in pixels]
                answer["whole"] = [
                    classify(classifier, np.asarray(Image.open(photo).convert("RGB"))) for photo in wanted["photos"]
                ]
        except (RuntimeError, ValueError) as error:
            answer["error"] = str(error)
        answers.append(answer)
    print(json.dumps(answers))


def open_classifier(model: str) -> Any:
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python.vision import ImageClassifier, ImageClassifierOptions

    options = ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
    return ImageClassifier.create_from_options(options)


def classify(classifier: Any, pixels: Any) -> dict[str, float]:
    """Label -> score, best first, of uint8 `[h, w, 3]` RGB."""
    import mediapipe

    image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
    (head,) = classifier.classify(image).classifications
    return {category.category_name: category.score for category in head.categories}


def decode_metadata(model: Path) -> dict[str, Any]:
    """The model's metadata, read with the classes that MediaPipe generated from the schema."""
    from ai_edge_litert import schema_py_generated as tflite
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    flat = tflite.ModelT.InitFromPackedBuf(model.read_bytes(), 0)
    (entry,) = [entry for entry in flat.metadata if entry.name == b"TFLITE_METADATA"]
    content = flat.buffers[entry.buffer].data.tobytes()
    assert schema.ModelMetadata.ModelMetadataBufferHasIdentifier(content, 0)
    metadata = schema.ModelMetadataT.InitFromPackedBuf(content, 0)
    (subgraph,) = metadata.subgraphMetadata
    (photo,), (probability,) = subgraph.inputTensorMetadata, subgraph.outputTensorMetadata
    return plain(
        {
            "name": metadata.name,
            "version": metadata.version,
            "license": metadata.license,
            "min_parser_version": metadata.minParserVersion,
            "files": [(each.name, each.type) for each in metadata.associatedFiles],
            "photo": {
                "name": photo.name,
                "colour_space": photo.content.contentProperties.colorSpace,
                "is_image": photo.content.contentPropertiesType == schema.ContentProperties.ImageProperties,
                "normalization": [
                    (list(unit.options.mean), list(unit.options.std))
                    for unit in photo.processUnits or []
                    if unit.optionsType == schema.ProcessUnitOptions.NormalizationOptions
                ],
                "range": [list(photo.stats.min), list(photo.stats.max)],
            },
            "probability": {
                "name": probability.name,
                "range": [list(probability.stats.min), list(probability.stats.max)],
                "files": [(each.name, each.type) for each in probability.associatedFiles],
            },
            "enums": {
                "rgb": schema.ColorSpaceType.RGB,
                "labels": schema.AssociatedFileType.TENSOR_AXIS_LABELS,
                "descriptions": schema.AssociatedFileType.DESCRIPTIONS,
            },
        }
    )


def plain(value: Any) -> Any:
    """Bytes as text and NumPy numbers as Python's, all the way down."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


if __name__ == "__main__":
    main(*sys.argv[1:])
