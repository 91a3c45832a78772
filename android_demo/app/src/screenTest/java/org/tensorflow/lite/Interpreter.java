package org.tensorflow.lite;

import dev.edgeretrain.demo.model.Engine;
import dev.edgeretrain.demo.model.Engines;
import dev.edgeretrain.demo.model.ModelException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Stands in for TFLite's interpreter, which has no library for the desktop: the same calls, LiteRT behind them. A
 * delegate does to the answer what {@link #delegateMakes} says.
 */
public final class Interpreter implements AutoCloseable {
    /** What a delegate does here. */
    public enum Delegates {
        THE_SAME,
        ANOTHER_TOP,
        AN_ERROR
    }

    public static volatile Delegates delegateMakes = Delegates.THE_SAME;

    /** How many are open: all must be closed in the end. */
    public static volatile int open;

    /** Only what the app sets. */
    public static class Options {
        private boolean delegated;

        public Options setNumThreads(int threads) {
            return this;
        }

        public Options setUseXNNPACK(boolean use) {
            return this;
        }

        public Options addDelegate(Delegate delegate) {
            delegated = true;
            return this;
        }
    }

    private final Engine engine;
    private final boolean delegated;

    public Interpreter(ByteBuffer model, Options options) {
        delegated = options.delegated;
        if (delegated && delegateMakes == Delegates.AN_ERROR) {
            throw new IllegalArgumentException("the driver refused\nand said more");
        }
        engine = Engines.liteRt(model);
        open++;
    }

    public void run(Object input, Object output) {
        ByteBuffer in = (ByteBuffer) input;
        ByteBuffer out = (ByteBuffer) output;
        if (!in.isDirect() || in.order() != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException("TFLite wants direct buffers in native order.");
        }
        try {
            engine.run(in, out);
        } catch (ModelException error) {
            throw new IllegalStateException(error);
        }
        if (delegated && delegateMakes == Delegates.ANOTHER_TOP) {
            ((Buffer) out).rewind();
            byte[] bytes = new byte[out.remaining()];
            out.get(bytes);
            ((Buffer) out).rewind();
            for (int i = 0; i < bytes.length; i++) {
                out.put(bytes[bytes.length - 1 - i] == 0 ? (byte) 200 : 0);
            }
        }
    }

    @Override
    public void close() {
        open--;
        engine.close();
    }
}
