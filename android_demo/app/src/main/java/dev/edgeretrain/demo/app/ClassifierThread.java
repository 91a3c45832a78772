package dev.edgeretrain.demo.app;

import android.content.Context;
import android.graphics.Bitmap;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import dev.edgeretrain.demo.R;
import dev.edgeretrain.demo.model.ModelException;
import dev.edgeretrain.demo.model.Prediction;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The one thread that reads models, decodes photos and classifies, in the order it was asked to. After close() it takes
 * no more jobs and tells the listener nothing more.
 */
final class ClassifierThread {
    private static final int TOP = 3;

    /** Told on the main thread. */
    interface Listener {
        void onModels(List<AssetModel> models);

        void onLoaded(LoadedModel model);

        /** The model cannot be loaded: there is none until the next load. */
        void onNotLoaded(String message);

        void onPhoto(Bitmap photo);

        void onNoPhoto(String message);

        void onAnswer(Answer answer, boolean ofPhoto);

        void onFailure(String message);
    }

    /** A piece of work; whatever it throws is told. */
    private interface Job {
        void run() throws ModelException;
    }

    private final ExecutorService executor = Executors.newSingleThreadExecutor();
    private final Handler main = new Handler(Looper.getMainLooper());
    private final Context context;
    private final AtomicBoolean frameTaken = new AtomicBoolean();

    private Listener listener; // main thread only; null after close()
    private LoadedModel loaded; // this thread only
    private PhotoReader photo; // this thread only

    ClassifierThread(Context context, Listener listener) {
        this.context = context;
        this.listener = listener;
    }

    /** Find the models in the app. */
    void findModels() {
        submit(new Job() {
            @Override
            public void run() {
                final List<AssetModel> models = AssetModel.list(context);
                tell(new Runnable() {
                    @Override
                    public void run() {
                        listener.onModels(models);
                    }
                });
            }
        });
    }

    /** Change to another model, delegate or number of threads; then classify the photo again, if there is one. */
    void load(final AssetModel model, final int threads, final DelegateKind delegate) {
        submit(new Job() {
            @Override
            public void run() {
                unload();
                try {
                    loaded = LoadedModel.load(context, model, threads, delegate);
                } catch (final ModelException error) {
                    tellNotLoaded(model.name + ": " + error.getMessage());
                    return;
                } catch (final RuntimeException error) {
                    tellNotLoaded(unexpected(error));
                    return;
                }
                final LoadedModel now = loaded;
                tell(new Runnable() {
                    @Override
                    public void run() {
                        listener.onLoaded(now);
                    }
                });
                classifyPhoto();
            }
        });
    }

    /** Decode a photo and classify it. */
    void openPhoto(final Uri uri) {
        submit(new Job() {
            @Override
            public void run() {
                photo = null; // before the next is decoded: there may not be room for both
                try {
                    PhotoReader reader = new PhotoReader(context.getContentResolver(), uri);
                    final Bitmap bitmap = PhotoBitmap.of(reader.forScreen());
                    photo = reader;
                    tell(new Runnable() {
                        @Override
                        public void run() {
                            listener.onPhoto(bitmap);
                        }
                    });
                } catch (IOException error) {
                    losePhoto(R.string.photo_unreadable);
                } catch (RuntimeException error) { // providers of photos throw what they like
                    losePhoto(R.string.photo_unreadable);
                } catch (OutOfMemoryError error) {
                    losePhoto(R.string.photo_too_large);
                }
                classifyPhoto();
            }
        });
    }

    /** Forget the photo: the live picture is classified again. */
    void closePhoto() {
        submit(new Job() {
            @Override
            public void run() {
                photo = null;
            }
        });
    }

    /**
     * Ask to hand over a camera frame. There is one at a time: while it is false, drop the frame, and the next one that
     * is taken is the newest. Safe from any thread.
     */
    boolean takeFrame() {
        return frameTaken.compareAndSet(false, true);
    }

    /** The frame that was asked for does not come. */
    void dropFrame() {
        frameTaken.set(false);
    }

    /** Classify the frame that was asked for. Its pixels may be written to again when takeFrame() says so. */
    void classifyFrame(final Picture frame) {
        boolean taken = submit(new Job() {
            @Override
            public void run() throws ModelException {
                try {
                    if (loaded != null && photo == null) {
                        classify(frame, false);
                    }
                } finally {
                    dropFrame();
                }
            }
        });
        if (!taken) {
            dropFrame();
        }
    }

    /** Finish what runs, then free the model. Main thread. */
    void close() {
        listener = null;
        submit(new Job() {
            @Override
            public void run() {
                unload();
            }
        });
        executor.shutdown();
    }

    private void unload() {
        if (loaded != null) {
            loaded.close();
            loaded = null;
        }
    }

    private void classifyPhoto() {
        if (loaded == null || photo == null) {
            return;
        }
        Picture picture;
        try {
            picture = photo.forModel(loaded.file.size);
        } catch (IOException error) {
            losePhoto(R.string.photo_unreadable);
            return;
        } catch (RuntimeException error) {
            losePhoto(R.string.photo_unreadable);
            return;
        } catch (OutOfMemoryError error) {
            losePhoto(R.string.photo_too_large);
            return;
        }
        try {
            classify(picture, true);
        } catch (ModelException error) {
            tellFailure(error.getMessage());
        }
    }

    private void losePhoto(int why) {
        photo = null;
        tellNoPhoto(context.getString(why));
    }

    private void classify(Picture picture, final boolean ofPhoto) throws ModelException {
        long start = System.nanoTime();
        byte[] pixels = picture.prepare(loaded.file.size, loaded.file.fit);
        long prepared = System.nanoTime();
        List<Prediction> predictions = loaded.classifier.classify(pixels, TOP);
        long end = System.nanoTime();
        boolean rejected = loaded.classifier.rejected(predictions);
        final Answer answer = new Answer(predictions, rejected, picture.nanos + prepared - start, end - prepared);
        tell(new Runnable() {
            @Override
            public void run() {
                listener.onAnswer(answer, ofPhoto);
            }
        });
    }

    /** Whether it will be done: not after close(). */
    private boolean submit(final Job job) {
        try {
            executor.execute(new Runnable() {
                @Override
                public void run() {
                    try {
                        job.run();
                    } catch (ModelException error) {
                        tellFailure(error.getMessage());
                    } catch (RuntimeException error) {
                        tellFailure(unexpected(error));
                    } catch (OutOfMemoryError error) {
                        tellFailure(unexpected(error));
                    }
                }
            });
            return true;
        } catch (RejectedExecutionException error) {
            return false;
        }
    }

    private String unexpected(Throwable error) {
        return context.getString(R.string.unexpected, error.toString());
    }

    private void tellNotLoaded(final String message) {
        tell(new Runnable() {
            @Override
            public void run() {
                listener.onNotLoaded(message);
            }
        });
    }

    private void tellNoPhoto(final String message) {
        tell(new Runnable() {
            @Override
            public void run() {
                listener.onNoPhoto(message);
            }
        });
    }

    private void tellFailure(final String message) {
        tell(new Runnable() {
            @Override
            public void run() {
                listener.onFailure(message);
            }
        });
    }

    private void tell(final Runnable message) {
        main.post(new Runnable() {
            @Override
            public void run() {
                if (listener != null) {
                    message.run();
                }
            }
        });
    }
}
