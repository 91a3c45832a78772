package dev.edgeretrain.demo.model;

/** A tensor as its model file describes it. A quantized number q stands for {@code (q - zeroPoint) * scale}. */
public final class TensorSpec {
    public final String name;
    public final NumberType type;

    /** Length of each dimension; not to be changed. */
    public final int[] shape;

    /** 0 where the tensor is not quantized. */
    public final float scale;

    public final int zeroPoint;

    public TensorSpec(String name, NumberType type, int[] shape, float scale, int zeroPoint) {
        this.name = name;
        this.type = type;
        this.shape = shape;
        this.scale = scale;
        this.zeroPoint = zeroPoint;
    }

    /** How many numbers it holds. */
    public int elements() {
        int elements = 1;
        for (int length : shape) {
            elements *= length;
        }
        return elements;
    }
}
