package dev.edgeretrain.demo.pixels;

/** How a photo is made square. The model's card names it as it was in training. */
public enum Fit {
    /** The whole photo; its aspect ratio is ignored. */
    SQUASH("squash"),
    /** The largest square in the photo's middle. */
    CROP("crop");

    private final String name;

    Fit(String name) {
        this.name = name;
    }

    /**
     * The fit of a name, `squash` or `crop`.
     *
     * @throws IllegalArgumentException for any other name.
     */
    public static Fit named(String name) {
        for (Fit fit : values()) {
            if (fit.name.equals(name)) {
                return fit;
            }
        }
        throw new IllegalArgumentException("There is no fit '" + name + "', only squash and crop.");
    }
}
