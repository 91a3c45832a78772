package dev.edgeretrain.demo.model;

/** What the numbers of a tensor are. */
public enum NumberType {
    FLOAT32(4),
    UINT8(1),
    INT8(1);

    /** Size of one number. */
    public final int bytes;

    NumberType(int bytes) {
        this.bytes = bytes;
    }
}
