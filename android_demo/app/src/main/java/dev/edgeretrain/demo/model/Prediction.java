package dev.edgeretrain.demo.model;

/** A class and its probability, 0 to 1. */
public final class Prediction {
    public final String label;
    public final float score;

    public Prediction(String label, float score) {
        this.label = label;
        this.score = score;
    }

    @Override
    public String toString() {
        return label + " " + score;
    }
}
