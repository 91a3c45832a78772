package dev.edgeretrain.demo.app;

import android.content.Context;
import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.BaseAdapter;
import android.widget.TextView;
import dev.edgeretrain.demo.R;
import java.util.List;

/** The models in a list: the usable ones with what they are, the others with the reason why they cannot be chosen. */
final class ModelAdapter extends BaseAdapter {
    private final Context context;
    private final List<AssetModel> models;

    ModelAdapter(Context context, List<AssetModel> models) {
        this.context = context;
        this.models = models;
    }

    @Override
    public int getCount() {
        return models.size();
    }

    @Override
    public AssetModel getItem(int position) {
        return models.get(position);
    }

    @Override
    public long getItemId(int position) {
        return position;
    }

    @Override
    public boolean areAllItemsEnabled() {
        return false;
    }

    @Override
    public boolean isEnabled(int position) {
        return models.get(position).usable();
    }

    @Override
    public View getView(int position, View reused, ViewGroup parent) {
        View view = reused(reused, android.R.layout.simple_spinner_item, parent);
        text(view, android.R.id.text1, models.get(position).name);
        return view;
    }

    @Override
    public View getDropDownView(int position, View reused, ViewGroup parent) {
        View view = reused(reused, android.R.layout.simple_list_item_2, parent);
        AssetModel model = models.get(position);
        text(view, android.R.id.text1, model.name);
        text(view, android.R.id.text2, model.usable() ? detail(model) : model.problem);
        view.setEnabled(model.usable());
        return view;
    }

    private String detail(AssetModel model) {
        String precision = model.file.precision.isEmpty() ? model.file.input.type.toString() : model.file.precision;
        return context.getString(R.string.model_detail, precision, model.file.size, model.file.labels.size());
    }

    private View reused(View view, int layout, ViewGroup parent) {
        return view != null ? view : LayoutInflater.from(context).inflate(layout, parent, false);
    }

    private static void text(View view, int id, String text) {
        ((TextView) view.findViewById(id)).setText(text);
    }
}
