package dev.edgeretrain.demo.app;

import android.content.Context;
import dev.edgeretrain.demo.R;
import dev.edgeretrain.demo.model.Classifier;
import dev.edgeretrain.demo.model.Engine;
import dev.edgeretrain.demo.model.ModelException;
import dev.edgeretrain.demo.model.ModelFile;

/** A model ready to classify, on a delegate that was found to agree with the CPU, or on the CPU. */
final class LoadedModel {
    final ModelFile file;
    final Classifier classifier;

    /** What runs it and why, for the screen. */
    final String status;

    private final Engine engine;

    private LoadedModel(AssetModel model, Engine engine, Classifier classifier, String status) {
        this.file = model.file;
        this.engine = engine;
        this.classifier = classifier;
        this.status = status;
    }

    /**
     * Load a usable model. A delegate that cannot load it or does not agree with the CPU gives way to the CPU, and the
     * status says so.
     *
     * @throws ModelException not even the CPU can run it.
     */
    static LoadedModel load(Context context, AssetModel model, int threads, DelegateKind wanted)
            throws ModelException {
        Engine cpu = new InterpreterEngine(model.bytes, threads, DelegateKind.CPU);
        boolean kept = false;
        try {
            Classifier onCpu = new Classifier(model.file, cpu);
            String status =
                    context.getString(R.string.running_on, model.name, context.getString(DelegateKind.CPU.title));
            if (wanted != DelegateKind.CPU) {
                try {
                    return onDelegate(context, model, threads, wanted, onCpu);
                } catch (ModelException error) {
                    String title = context.getString(wanted.title);
                    status = context.getString(R.string.fell_back, model.name, title, error.getMessage());
                }
            }
            kept = true;
            return new LoadedModel(model, cpu, onCpu, status);
        } finally {
            if (!kept) {
                cpu.close();
            }
        }
    }

    private static LoadedModel onDelegate(
            Context context, AssetModel model, int threads, DelegateKind kind, Classifier onCpu)
            throws ModelException {
        Picture picture = TestPicture.draw();
        byte[] pixels = picture.prepare(model.file.size, model.file.fit);
        float[] expected = onCpu.probabilities(pixels);
        Engine engine = new InterpreterEngine(model.bytes, threads, kind);
        boolean kept = false;
        try {
            Classifier classifier = new Classifier(model.file, engine);
            Agreement agreement = new Agreement(expected, classifier.probabilities(pixels));
            if (!agreement.holds()) {
                throw new ModelException(
                        agreement.sameTop
                                ? context.getString(R.string.disagrees_by, agreement.difference)
                                : context.getString(R.string.disagrees_top));
            }
            kept = true;
            String title = context.getString(kind.title);
            String status = context.getString(R.string.checked_on, model.name, title, agreement.difference);
            return new LoadedModel(model, engine, classifier, status);
        } finally {
            if (!kept) {
                engine.close();
            }
        }
    }

    void close() {
        engine.close();
    }
}
