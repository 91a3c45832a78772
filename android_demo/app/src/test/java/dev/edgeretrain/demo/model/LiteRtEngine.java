package dev.edgeretrain.demo.model;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import java.nio.ByteBuffer;

/**
 * The desktop's engine, for tests: the LiteRT library inside Python's ai-edge-litert, on the CPU, through its C API
 * (litert/c in google-ai-edge/LiteRT).
 */
final class LiteRtEngine implements Engine {
    /** The functions used; handles are pointers, sizes are size_t, a status of 0 is success. */
    private interface LiteRt extends Library {
        int LiteRtCreateEnvironment(int optionCount, Pointer options, PointerByReference environment);

        int LiteRtCreateModelFromFile(Pointer environment, String file, PointerByReference model);

        int LiteRtCreateOptions(PointerByReference options);

        int LiteRtSetOptionsHardwareAccelerators(Pointer options, int accelerators);

        int LiteRtCreateCompiledModel(
                Pointer environment, Pointer model, Pointer options, PointerByReference compiled);

        int LiteRtCreateManagedTensorBuffer(
                Pointer environment, int bufferType, int[] tensorType, long size, PointerByReference buffer);

        int LiteRtLockTensorBuffer(Pointer buffer, PointerByReference memory, int mode);

        int LiteRtUnlockTensorBuffer(Pointer buffer);

        int LiteRtRunCompiledModel(
                Pointer compiled, long signature, long inputs, Pointer[] input, long outputs, Pointer[] output);

        void LiteRtDestroyTensorBuffer(Pointer buffer);

        void LiteRtDestroyCompiledModel(Pointer compiled);

        void LiteRtDestroyOptions(Pointer options);

        void LiteRtDestroyModel(Pointer model);

        void LiteRtDestroyEnvironment(Pointer environment);
    }

    private static final int CPU = 1;
    private static final int HOST_MEMORY = 1;
    private static final int READ = 0;
    private static final int WRITE = 1;

    private final LiteRt library;
    private final Pointer environment;
    private final Pointer model;
    private final Pointer options;
    private final Pointer compiled;
    private final Pointer input;
    private final Pointer output;

    /** `library` is the path of libLiteRt.so, `model` the path of the file that `file` was read from. */
    LiteRtEngine(String library, String model, ModelFile file) throws ModelException {
        this.library = Native.load(library, LiteRt.class);
        PointerByReference made = new PointerByReference();
        check(this.library.LiteRtCreateEnvironment(0, null, made), "environment");
        environment = made.getValue();
        check(this.library.LiteRtCreateModelFromFile(environment, model, made), "model");
        this.model = made.getValue();
        check(this.library.LiteRtCreateOptions(made), "options");
        options = made.getValue();
        check(this.library.LiteRtSetOptionsHardwareAccelerators(options, CPU), "accelerator");
        check(this.library.LiteRtCreateCompiledModel(environment, this.model, options, made), "compiled model");
        compiled = made.getValue();
        input = tensor(file.input);
        output = tensor(file.output);
    }

    @Override
    public void run(ByteBuffer in, ByteBuffer out) throws ModelException {
        PointerByReference memory = new PointerByReference();
        check(library.LiteRtLockTensorBuffer(input, memory, WRITE), "input");
        memory.getValue().getByteBuffer(0, in.remaining()).put(in);
        check(library.LiteRtUnlockTensorBuffer(input), "input");
        check(library.LiteRtRunCompiledModel(
                compiled, 0, 1, new Pointer[] {input}, 1, new Pointer[] {output}), "run");
        check(library.LiteRtLockTensorBuffer(output, memory, READ), "output");
        out.put(memory.getValue().getByteBuffer(0, out.remaining()));
        check(library.LiteRtUnlockTensorBuffer(output), "output");
    }

    @Override
    public void close() {
        library.LiteRtDestroyTensorBuffer(input);
        library.LiteRtDestroyTensorBuffer(output);
        library.LiteRtDestroyCompiledModel(compiled);
        library.LiteRtDestroyOptions(options);
        library.LiteRtDestroyModel(model);
        library.LiteRtDestroyEnvironment(environment);
    }

    private Pointer tensor(TensorSpec spec) throws ModelException {
        int[] type = new int[18]; // LiteRtRankedTensorType: element type, rank, 8 lengths, 8 strides (unused)
        type[0] = spec.type == NumberType.FLOAT32 ? 1 : spec.type == NumberType.UINT8 ? 3 : 9;
        type[1] = spec.shape.length;
        System.arraycopy(spec.shape, 0, type, 2, spec.shape.length);
        PointerByReference made = new PointerByReference();
        long size = (long) spec.elements() * spec.type.bytes;
        check(library.LiteRtCreateManagedTensorBuffer(environment, HOST_MEMORY, type, size, made), spec.name);
        return made.getValue();
    }

    private static void check(int status, String what) throws ModelException {
        if (status != 0) {
            throw new ModelException("LiteRT: " + what + ": status " + status);
        }
    }
}
