"""A frozen network -> a .tflite file in each precision, int8 brought near to float32."""
