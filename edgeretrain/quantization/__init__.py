"""A frozen network -> a .tflite file in each precision; int8 is corrected to be nearer to float32."""
