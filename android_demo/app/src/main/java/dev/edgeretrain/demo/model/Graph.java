package dev.edgeretrain.demo.model;

import java.util.Arrays;
import java.util.Locale;

/** The input and the output of a model's main subgraph. Slot numbers are those of the TFLite schema. */
final class Graph {
    private static final int MODEL_SUBGRAPHS = 2;
    private static final int SUBGRAPH_TENSORS = 0;
    private static final int SUBGRAPH_INPUTS = 1;
    private static final int SUBGRAPH_OUTPUTS = 2;
    private static final int TENSOR_SHAPE = 0;
    private static final int TENSOR_TYPE = 1;
    private static final int TENSOR_NAME = 3;
    private static final int TENSOR_QUANTIZATION = 4;
    private static final int QUANTIZATION_SCALE = 2;
    private static final int QUANTIZATION_ZERO_POINT = 3;

    /** The schema's TensorType values, by number. */
    private static final String[] TYPES = {
        "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8"
    };

    /** Above it the pixels of one input would not fit into an array. */
    private static final int LARGEST_SIDE = 8192;

    final TensorSpec input;
    final TensorSpec output;

    private Graph(TensorSpec input, TensorSpec output) {
        this.input = input;
        this.output = output;
    }

    static Graph read(Flat flat, String name) throws ModelException {
        Flat.Vector subgraphs = flat.root().vector(MODEL_SUBGRAPHS, 4);
        if (subgraphs.length == 0) {
            throw new ModelException(name + ": there is no network inside this file. Copy or make it again.");
        }
        Flat.Table main = subgraphs.table(0);
        Flat.Vector tensors = main.vector(SUBGRAPH_TENSORS, 4);
        TensorSpec input = only(main.vector(SUBGRAPH_INPUTS, 4), tensors, "inputs", name);
        TensorSpec output = only(main.vector(SUBGRAPH_OUTPUTS, 4), tensors, "outputs", name);
        int[] shape = input.shape;
        if (shape.length != 4 || shape[0] != 1 || shape[1] != shape[2] || shape[3] != 3
                || shape[1] < 1 || shape[1] > LARGEST_SIDE) {
            throw new ModelException(
                    name + ": its input is " + told(input) + "; one photo [1, S, S, 3] is needed."
                            + " Use a model written by `edgeretrain retrain`.");
        }
        int vector = output.shape.length == 0 ? 0 : output.shape[output.shape.length - 1];
        for (int i = 0; i < output.shape.length; i++) {
            vector = output.shape[i] == (i < output.shape.length - 1 ? 1 : vector) ? vector : 0;
        }
        if (vector < 1) {
            throw new ModelException(
                    name + ": its output is " + told(output) + "; one vector [1, n] is needed."
                            + " Use a model written by `edgeretrain retrain`.");
        }
        if (output.type != NumberType.FLOAT32 && !(output.scale > 0)) {
            throw new ModelException(
                    name + ": its output is " + told(output) + " without a quantization, so nothing says which"
                            + " probabilities its numbers mean. Use a model written by `edgeretrain retrain`.");
        }
        return new Graph(input, output);
    }

    private static TensorSpec only(Flat.Vector indices, Flat.Vector tensors, String what, String name)
            throws ModelException {
        if (indices.length != 1) {
            throw new ModelException(
                    name + ": the model has " + indices.length + " " + what + "; one photo in and one vector out are"
                            + " needed. Use a model written by `edgeretrain retrain`.");
        }
        return tensor(tensors.table(indices.int32(0)), name);
    }

    private static TensorSpec tensor(Flat.Table table, String name) throws ModelException {
        Flat.Vector lengths = table.vector(TENSOR_SHAPE, 4);
        if (lengths.length > 8) { // the runtime's own limit; also keeps a damaged length from filling the memory
            throw new ModelException(name + ": the model file is damaged (a tensor has " + lengths.length
                    + " dimensions). Copy or make it again.");
        }
        int[] shape = new int[lengths.length];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = lengths.int32(i);
        }
        Flat.Table quantization = table.table(TENSOR_QUANTIZATION);
        float scale = 0;
        int zeroPoint = 0;
        if (quantization != null) {
            Flat.Vector scales = quantization.vector(QUANTIZATION_SCALE, 4);
            Flat.Vector zeroPoints = quantization.vector(QUANTIZATION_ZERO_POINT, 8);
            scale = scales.length == 1 ? scales.float32(0) : 0;
            zeroPoint = zeroPoints.length == 1 ? (int) zeroPoints.int64(0) : 0;
        }
        String tensor = table.text(TENSOR_NAME);
        return new TensorSpec(tensor, type(table.uint8(TENSOR_TYPE), tensor, name), shape, scale, zeroPoint);
    }

    private static NumberType type(int number, String tensor, String name) throws ModelException {
        String type = number < TYPES.length ? TYPES[number] : "type " + number;
        for (NumberType known : NumberType.values()) {
            if (known.name().toLowerCase(Locale.ROOT).equals(type)) {
                return known;
            }
        }
        throw new ModelException(
                name + ": its tensor '" + tensor + "' holds " + type + "; float32, uint8 or int8 is needed."
                        + " Use a model written by `edgeretrain retrain`.");
    }

    private static String told(TensorSpec tensor) {
        return tensor.type.name().toLowerCase(Locale.ROOT) + " " + Arrays.toString(tensor.shape);
    }
}
