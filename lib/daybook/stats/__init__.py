"""Every interval, test, correction and power calculation, once. Pure: numbers in, estimates out."""
