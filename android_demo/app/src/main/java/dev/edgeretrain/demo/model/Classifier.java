package dev.edgeretrain.demo.model;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** Prepared pixels -> classes: what edgeretrain/classifier.py does. Use it from one thread at a time. */
public final class Classifier {
    private final ModelFile file;
    private final Engine engine;
    private final ByteBuffer input;
    private final ByteBuffer output;

    /** The engine must run the file's network; it stays the caller's to close. */
    public Classifier(ModelFile file, Engine engine) {
        this.file = file;
        this.engine = engine;
        input = tensor(file.input);
        output = tensor(file.output);
    }

    /**
     * The probability of each label, in the order of the labels.
     *
     * @param rgb size * size * 3 bytes, as Pixels.prepare gives them.
     */
    public float[] probabilities(byte[] rgb) throws ModelException {
        if (rgb.length != file.input.elements()) {
            throw new IllegalArgumentException(
                    rgb.length + " numbers of pixels for an input of " + file.input.elements() + ".");
        }
        write(rgb);
        ((Buffer) input).rewind(); // a Buffer: see Flat
        ((Buffer) output).rewind();
        engine.run(input, output);
        float[] probabilities = new float[file.output.elements()];
        for (int i = 0; i < probabilities.length; i++) {
            probabilities[i] = real(i);
        }
        return probabilities;
    }

    /**
     * The classes of a photo, the most probable first; of equal ones the label that comes first.
     *
     * @param topK how many; all where there are fewer.
     */
    public List<Prediction> classify(byte[] rgb, int topK) throws ModelException {
        float[] scores = probabilities(rgb);
        List<Prediction> predictions = new ArrayList<Prediction>(scores.length);
        for (int i = 0; i < scores.length; i++) {
            predictions.add(new Prediction(file.labels.get(i), scores[i]));
        }
        // As NumPy sorts in Python: stable, 0 and -0 are equal, what is no number comes last.
        Collections.sort(predictions, new Comparator<Prediction>() {
            @Override
            public int compare(Prediction one, Prediction other) {
                int number = Boolean.compare(Float.isNaN(one.score), Float.isNaN(other.score));
                return number != 0 ? number : one.score > other.score ? -1 : one.score < other.score ? 1 : 0;
            }
        });
        return new ArrayList<Prediction>(predictions.subList(0, Math.min(topK, predictions.size())));
    }

    /** Whether the top score is too low for the model to mean it: the answer is "none of these". */
    public boolean rejected(List<Prediction> predictions) {
        return predictions.isEmpty() || predictions.get(0).score < file.rejectBelow;
    }

    /** Quantized inputs take the pixels as they are: the scale of their quantization is made for that. */
    private void write(byte[] rgb) {
        ((Buffer) input).rewind();
        switch (file.input.type) {
            case UINT8:
                input.put(rgb);
                break;
            case INT8: // the same photo as in a uint8 tensor: TFLite moves both q and zero point by 128
                for (byte value : rgb) {
                    input.put((byte) (value ^ 0x80));
                }
                break;
            default:
                for (int i = 0; i < rgb.length; i++) {
                    input.putFloat(((rgb[i] & 0xFF) - file.mean[i % 3]) / file.deviation[i % 3]);
                }
        }
    }

    private float real(int index) {
        switch (file.output.type) {
            case UINT8:
                return ((output.get(index) & 0xFF) - file.output.zeroPoint) * file.output.scale;
            case INT8:
                return (output.get(index) - file.output.zeroPoint) * file.output.scale;
            default:
                return output.getFloat(4 * index);
        }
    }

    private static ByteBuffer tensor(TensorSpec spec) {
        return ByteBuffer.allocateDirect(spec.elements() * spec.type.bytes).order(ByteOrder.nativeOrder());
    }
}
