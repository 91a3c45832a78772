package dev.edgeretrain.demo.model;

/** A model that cannot be used: the message says in one line what is wrong with the file and what to do next. */
public final class ModelException extends Exception {
    private static final long serialVersionUID = 1L;

    public ModelException(String message) {
        super(message);
    }

    public ModelException(String message, Throwable cause) {
        super(message, cause);
    }
}
