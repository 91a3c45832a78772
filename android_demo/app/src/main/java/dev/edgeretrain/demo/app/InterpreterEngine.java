package dev.edgeretrain.demo.app;

import dev.edgeretrain.demo.model.Engine;
import dev.edgeretrain.demo.model.ModelException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;

/** TFLite's interpreter. A GPU delegate must be made, run and closed on one thread, so this must be too. */
final class InterpreterEngine implements Engine {
    private final Interpreter interpreter;
    private final Delegate delegate;

    /**
     * Load a network.
     *
     * @param model the model file, mapped; must stay so.
     * @throws ModelException the runtime or the delegate cannot load it.
     */
    InterpreterEngine(ByteBuffer model, int threads, DelegateKind kind) throws ModelException {
        Delegate made = kind.create();
        Interpreter.Options options = new Interpreter.Options();
        options.setNumThreads(threads);
        options.setUseXNNPACK(kind == DelegateKind.CPU);
        if (made != null) {
            options.addDelegate(made);
        }
        try {
            interpreter = new Interpreter(model, options);
        } catch (RuntimeException error) {
            close(made);
            throw new ModelException(firstLine(error));
        } catch (LinkageError error) { // no native library for this processor
            close(made);
            throw new ModelException(firstLine(error));
        }
        delegate = made;
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) throws ModelException {
        // As Buffers: newer libraries give ByteBuffer a rewind() of its own, which older phones lack.
        ((Buffer) output).rewind();
        try {
            interpreter.run(input, output);
        } catch (RuntimeException error) {
            throw new ModelException(firstLine(error));
        }
        ((Buffer) output).rewind();
    }

    @Override
    public void close() {
        interpreter.close(); // before the delegate, which it still uses
        close(delegate);
    }

    private static void close(Delegate delegate) {
        if (delegate != null) {
            delegate.close();
        }
    }

    private static String firstLine(Throwable error) {
        String message = error.getMessage() == null ? error.toString() : error.getMessage().trim();
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }
}
