"""What several models share: a blend of trees and a regression, its calibration, reasons, metrics and checks."""
