package dev.edgeretrain.demo.model;

import java.nio.ByteBuffer;

/** What runs a network: TFLite on the phone, the LiteRT library on the desktop in tests. */
public interface Engine {
    /**
     * Run the network once.
     *
     * @param input the input tensor's bytes; direct, native order, position 0.
     * @param output takes the output tensor's bytes; direct, native order, position 0.
     */
    void run(ByteBuffer input, ByteBuffer output) throws ModelException;

    /** Free what it holds. */
    void close();
}
