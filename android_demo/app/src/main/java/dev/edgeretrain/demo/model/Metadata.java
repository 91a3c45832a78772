package dev.edgeretrain.demo.model;

/**
 * What the TFLite metadata of a model says, a flatbuffer inside the flatbuffer: which file behind the model holds the
 * labels, and how a float input is normalized. Slot numbers are those of the two schemas.
 */
final class Metadata {
    private static final int MODEL_BUFFERS = 4;
    private static final int MODEL_METADATA = 6;
    private static final int ENTRY_NAME = 0;
    private static final int ENTRY_BUFFER = 1;
    private static final int BUFFER_DATA = 0;
    private static final int ROOT_SUBGRAPHS = 3;
    private static final int SUBGRAPH_INPUTS = 2;
    private static final int SUBGRAPH_OUTPUTS = 3;
    private static final int TENSOR_PROCESS_UNITS = 4;
    private static final int TENSOR_FILES = 6;
    private static final int UNIT_KIND = 0;
    private static final int UNIT_OPTIONS = 1;
    private static final int NORMALIZATION = 1;
    private static final int NORMALIZATION_MEAN = 0;
    private static final int NORMALIZATION_DEVIATION = 1;
    private static final int FILE_NAME = 0;
    private static final int FILE_KIND = 2;
    private static final int AXIS_LABELS = 2;

    /** The associated file of the labels; "" where none is named. */
    final String labelsFile;

    /** Whether it says how the input is normalized. */
    final boolean normalized;

    /** For R, G and B; 0 where nothing is said. */
    final float[] mean;

    /** For R, G and B; 1 where nothing is said. */
    final float[] deviation;

    private Metadata(String labelsFile, float[] mean, float[] deviation) {
        this.labelsFile = labelsFile;
        this.normalized = mean != null && deviation != null && isUsable(mean, deviation);
        this.mean = normalized ? mean : new float[] {0, 0, 0};
        this.deviation = normalized ? deviation : new float[] {1, 1, 1};
    }

    private static boolean isUsable(float[] mean, float[] deviation) {
        boolean usable = true;
        for (int i = 0; i < 3; i++) {
            float white = (255 - mean[i]) / deviation[i];
            usable &= !Float.isNaN(white) && !Float.isInfinite(white);
        }
        return usable;
    }

    static Metadata read(Flat model, String name) throws ModelException {
        Flat.Vector entries = model.root().vector(MODEL_METADATA, 4);
        for (int i = 0; i < entries.length; i++) {
            Flat.Table entry = entries.table(i);
            if (entry.text(ENTRY_NAME).equals("TFLITE_METADATA")) {
                Flat.Table buffer = model.root().vector(MODEL_BUFFERS, 4).table(entry.int32(ENTRY_BUFFER));
                Flat metadata = new Flat(buffer.vector(BUFFER_DATA, 1).content(), name);
                Flat.Vector subgraphs = metadata.root().vector(ROOT_SUBGRAPHS, 4);
                if (subgraphs.length > 0) {
                    return ofSubgraph(subgraphs.table(0));
                }
            }
        }
        return new Metadata("", null, null);
    }

    private static Metadata ofSubgraph(Flat.Table subgraph) throws ModelException {
        Flat.Vector inputs = subgraph.vector(SUBGRAPH_INPUTS, 4);
        float[] mean = null;
        float[] deviation = null;
        Flat.Vector units = inputs.length == 0 ? null : inputs.table(0).vector(TENSOR_PROCESS_UNITS, 4);
        for (int i = 0; units != null && i < units.length; i++) {
            Flat.Table options = units.table(i).table(UNIT_OPTIONS);
            if (units.table(i).uint8(UNIT_KIND) == NORMALIZATION && options != null) {
                mean = channels(options.vector(NORMALIZATION_MEAN, 4));
                deviation = channels(options.vector(NORMALIZATION_DEVIATION, 4));
            }
        }
        return new Metadata(labelsFile(subgraph.vector(SUBGRAPH_OUTPUTS, 4)), mean, deviation);
    }

    private static String labelsFile(Flat.Vector outputs) throws ModelException {
        Flat.Vector files = outputs.length == 0 ? null : outputs.table(0).vector(TENSOR_FILES, 4);
        for (int i = 0; files != null && i < files.length; i++) {
            if (files.table(i).uint8(FILE_KIND) == AXIS_LABELS) {
                return files.table(i).text(FILE_NAME);
            }
        }
        return "";
    }

    /** One value for each channel, given as three or as one for all; null where there is neither. */
    private static float[] channels(Flat.Vector values) throws ModelException {
        if (values.length != 1 && values.length != 3) {
            return null;
        }
        int last = values.length - 1;
        return new float[] {values.float32(0), values.float32(last / 2), values.float32(last)};
    }
}
