package dev.edgeretrain.demo.model;

import dev.edgeretrain.demo.pixels.Fit;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * All that a `.tflite` file says about itself: tensors, labels, card, how photos must be prepared. Nothing is assumed
 * about the model beyond one photo in and one vector out.
 */
public final class ModelFile {
    private static final String CARD = "edgeretrain.json";
    private static final String LABELS = "labels.txt";
    private static final String USE_OURS = " Use a model written by `edgeretrain retrain`.";

    public final TensorSpec input;
    public final TensorSpec output;

    /** Class names in the order of the output. */
    public final List<String> labels;

    /** Side S of the input [1, S, S, 3], pixels. */
    public final int size;

    public final Fit fit;

    /** The top score under which the answer should be "none of these"; 0 where the card has none. */
    public final float rejectBelow;

    /** Of the card; "" where it has none. */
    public final String preset;

    public final String precision;

    /** What a float input is fed: (pixel - mean) / deviation, for R, G and B. 0 and 1 in models of ours. */
    final float[] mean;

    final float[] deviation;

    private final boolean card;

    private ModelFile(String name, Graph graph, Metadata metadata, List<String> labels, Map<String, Object> card)
            throws ModelException {
        this.input = graph.input;
        this.output = graph.output;
        this.labels = Collections.unmodifiableList(labels);
        this.size = graph.input.shape[1];
        this.card = card != null;
        this.mean = metadata.mean;
        this.deviation = metadata.deviation;
        Map<String, Object> values = card == null ? Collections.<String, Object>emptyMap() : card;
        this.preset = word(values, "preset");
        this.precision = word(values, "precision");
        this.rejectBelow = threshold(values);
        this.fit = card == null ? Fit.SQUASH : fit(name, word(card, "fit"));
    }

    /** Whether edgeretrain wrote the file: its card is inside. */
    public boolean hasCard() {
        return card;
    }

    /**
     * Read a model file.
     *
     * @param model the whole file, from position to limit; direct, mapped or heap. Nothing of it is copied or kept, and
     *     its position stays as it is.
     * @param name stands in errors.
     * @throws ModelException no TFLite model, damaged, not one photo [1, S, S, 3] in and one vector out, no labels or
     *     as many as the outputs are not, or nothing says how its photos must be prepared.
     */
    public static ModelFile read(ByteBuffer model, String name) throws ModelException {
        ByteBuffer bytes = model.slice();
        if (bytes.limit() < 8 || bytes.get(4) != 'T' || bytes.get(5) != 'F' || bytes.get(6) != 'L' || bytes.get(7) != '3') {
            throw new ModelException(name + ": this is not a TFLite model. Give a .tflite file.");
        }
        Flat flat = new Flat(bytes, name);
        Graph graph = Graph.read(flat, name);
        Metadata metadata = Metadata.read(flat, name);
        Archive archive = Archive.read(bytes, name);
        if (archive.names().contains(CARD)) {
            Map<String, Object> card = card(archive, name);
            checkSum(bytes, archive.start(), card, name);
            List<String> labels = labels(archive, LABELS, name);
            checkCount(graph, labels, name);
            return new ModelFile(name, graph, metadata, labels, card);
        }
        List<String> labels = labels(archive, labelsFile(archive, metadata, name), name);
        checkCount(graph, labels, name);
        if (graph.input.type == NumberType.FLOAT32 && !metadata.normalized) {
            throw new ModelException(
                    name + ": this float model has neither a card of edgeretrain nor metadata with a normalization, so"
                            + " nothing says how its photos must be prepared." + USE_OURS);
        }
        return new ModelFile(name, graph, metadata, labels, null);
    }

    private static String labelsFile(Archive archive, Metadata metadata, String name) throws ModelException {
        if (archive.names().contains(metadata.labelsFile)) {
            return metadata.labelsFile;
        }
        List<String> texts = new ArrayList<String>();
        for (String file : archive.names()) {
            if (file.endsWith(".txt")) {
                texts.add(file);
            }
        }
        if (texts.isEmpty()) {
            throw new ModelException(
                    name + ": there are no labels inside this file." + USE_OURS
                            + " If it is one, its end is cut off: copy it again.");
        }
        return Collections.min(texts);
    }

    /** One label a line. A label may hold any character but a newline. */
    private static List<String> labels(Archive archive, String file, String name) throws ModelException {
        String text = text(archive, file, name);
        if (text.endsWith("\n")) {
            text = text.substring(0, text.length() - 1);
        }
        List<String> labels = new ArrayList<String>();
        for (String line : text.split("\n", -1)) {
            int end = line.length();
            while (end > 0 && line.charAt(end - 1) == '\r') {
                end--;
            }
            labels.add(line.substring(0, end));
        }
        return labels;
    }

    private static String text(Archive archive, String file, String name) throws ModelException {
        try {
            return Flat.text(archive.content(file));
        } catch (CharacterCodingException error) {
            throw damaged(name, file + " is no UTF-8 text");
        }
    }

    private static void checkCount(Graph graph, List<String> labels, String name) throws ModelException {
        if (graph.output.elements() != labels.size()) {
            throw new ModelException(
                    name + ": the model has " + graph.output.elements() + " outputs but " + labels.size()
                            + " labels. Make it again.");
        }
    }

    private static Map<String, Object> card(Archive archive, String name) throws ModelException {
        try {
            return Json.object(text(archive, CARD, name));
        } catch (IllegalArgumentException error) {
            throw damaged(name, CARD + ": " + error.getMessage());
        }
    }

    /** The card knows the SHA-256 of the flatbuffer: a damaged file is found before it answers nonsense. */
    private static void checkSum(ByteBuffer bytes, int length, Map<String, Object> card, String name)
            throws ModelException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            ByteBuffer flatbuffer = bytes.duplicate();
            ((Buffer) flatbuffer).limit(length); // a Buffer: see Flat
            digest.update(flatbuffer);
            StringBuilder hex = new StringBuilder();
            for (byte one : digest.digest()) {
                hex.append(String.format(Locale.ROOT, "%02x", one));
            }
            if (!hex.toString().equals(card.get("flatbuffer_sha256"))) {
                throw damaged(name, "its checksum differs");
            }
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error); // every Java and every Android has SHA-256
        }
    }

    /** A text of the card, "" where it has none. */
    private static String word(Map<String, Object> card, String key) {
        Object value = card.get(key);
        return value instanceof String ? (String) value : "";
    }

    /** The threshold, rounded up to a float: then no float score is below the one and not below the other. */
    private static float threshold(Map<String, Object> card) {
        Object value = card.get("reject_below");
        if (!(value instanceof Double) || (Double) value < 0 || (Double) value > 1) {
            return 0; // as in Python
        }
        float rounded = ((Double) value).floatValue();
        return rounded < (Double) value ? Math.nextUp(rounded) : rounded;
    }

    private static Fit fit(String name, String fit) throws ModelException {
        try {
            return Fit.named(fit);
        } catch (IllegalArgumentException error) {
            throw new ModelException(
                    name + ": its card names no fit that this app knows ('" + fit + "'), so nothing says how its photos"
                            + " must be prepared. Make the model again, or update the app.");
        }
    }

    private static ModelException damaged(String name, String how) {
        return new ModelException(name + ": the model file is damaged (" + how + "). Copy or make it again.");
    }
}
