package dev.edgeretrain.demo.app;

import dev.edgeretrain.demo.model.Prediction;
import java.util.List;

/** What a model says about a picture, and how long it took. */
final class Answer {
    /** The most probable first. */
    final List<Prediction> predictions;

    /** Whether the top score is below the model's threshold: none of these. */
    final boolean rejected;

    /** Decoding or conversion, fit and resize. */
    final float preprocessMillis;

    /** The network, with writing its input and reading its output. */
    final float inferenceMillis;

    Answer(List<Prediction> predictions, boolean rejected, long preprocessNanos, long inferenceNanos) {
        this.predictions = predictions;
        this.rejected = rejected;
        preprocessMillis = preprocessNanos / 1e6f;
        inferenceMillis = inferenceNanos / 1e6f;
    }
}
