package dev.edgeretrain.demo.app;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.text.TextPaint;
import android.text.TextUtils;
import android.util.AttributeSet;
import android.view.View;
import dev.edgeretrain.demo.R;
import dev.edgeretrain.demo.model.Prediction;
import java.util.Collections;
import java.util.List;

/** The top labels, each with its probability as a number and as a bar. */
public final class BarsView extends View {
    private static final int ROWS = 3;

    private final TextPaint text = new TextPaint(Paint.ANTI_ALIAS_FLAG);
    private final Paint bar = new Paint();
    private final Paint track = new Paint();
    private final float barHeight;
    private final float gap;
    private final int rowHeight;
    private List<Prediction> predictions = Collections.emptyList();

    public BarsView(Context context, AttributeSet attributes) {
        super(context, attributes);
        text.setColor(context.getColor(R.color.text));
        text.setTextSize(getResources().getDimension(R.dimen.bar_text));
        bar.setColor(context.getColor(R.color.bar));
        track.setColor(context.getColor(R.color.bar_track));
        barHeight = getResources().getDimension(R.dimen.bar_height);
        gap = getResources().getDimension(R.dimen.gap);
        rowHeight = (int) Math.ceil(text.getFontSpacing() + barHeight + gap); // grows with the user's text size
    }

    void show(List<Prediction> predictions) {
        this.predictions = predictions;
        StringBuilder description = new StringBuilder();
        for (Prediction one : predictions) {
            description.append(description.length() == 0 ? "" : ", ");
            description.append(one.label).append(' ').append(percent(one));
        }
        setContentDescription(description);
        invalidate();
    }

    @Override
    protected void onMeasure(int widthSpec, int heightSpec) {
        setMeasuredDimension(
                getDefaultSize(getSuggestedMinimumWidth(), widthSpec), resolveSize(ROWS * rowHeight, heightSpec));
    }

    @Override
    protected void onDraw(Canvas canvas) {
        boolean fromRight = getLayoutDirection() == LAYOUT_DIRECTION_RTL;
        int width = getWidth();
        for (int row = 0; row < Math.min(ROWS, predictions.size()); row++) {
            Prediction one = predictions.get(row);
            float top = row * rowHeight;
            float baseline = top - text.getFontMetrics().ascent;
            String number = percent(one);
            float numberWidth = text.measureText(number);
            CharSequence label = TextUtils.ellipsize(
                    one.label, text, Math.max(0, width - numberWidth - gap), TextUtils.TruncateAt.END);
            float labelWidth = text.measureText(label, 0, label.length());
            canvas.drawText(label, 0, label.length(), fromRight ? width - labelWidth : 0, baseline, text);
            canvas.drawText(number, fromRight ? 0 : width - numberWidth, baseline, text);
            float barTop = top + text.getFontSpacing();
            float length = width * Math.max(0, Math.min(1, one.score));
            canvas.drawRect(0, barTop, width, barTop + barHeight, track);
            float left = fromRight ? width - length : 0;
            canvas.drawRect(left, barTop, left + length, barTop + barHeight, bar);
        }
    }

    private String percent(Prediction one) {
        return getResources().getString(R.string.percent, Math.round(100 * one.score));
    }
}
