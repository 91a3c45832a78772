package dev.edgeretrain.demo.app;

import android.content.Context;
import android.util.AttributeSet;
import android.view.SurfaceView;

/**
 * The camera's preview: as large as fits without distortion. A SurfaceView, as Android turns its picture upright by
 * itself however the device is held; only the shape of the view is left to do.
 */
public final class PreviewView extends SurfaceView {
    private int pictureWidth;
    private int pictureHeight;

    public PreviewView(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    /** The upright picture's shape. */
    void setPictureSize(int width, int height) {
        if (width != pictureWidth || height != pictureHeight) {
            pictureWidth = width;
            pictureHeight = height;
            requestLayout();
        }
    }

    @Override
    protected void onMeasure(int widthSpec, int heightSpec) {
        int width = MeasureSpec.getSize(widthSpec);
        int height = MeasureSpec.getSize(heightSpec);
        if (pictureWidth > 0 && pictureHeight > 0) {
            if ((long) width * pictureHeight > (long) height * pictureWidth) {
                width = (int) ((long) height * pictureWidth / pictureHeight);
            } else {
                height = (int) ((long) width * pictureHeight / pictureWidth);
            }
        }
        setMeasuredDimension(width, height);
    }
}
