"""Simple Baseline human pose: training, testing, prediction.

Each module can be read alone: data (coco, crop, dataset, targets), model (resnet, loss, inference), stages
(train, test, pred, synth, demo, env), measures (decode, oks, evaluate). Nothing here knows envcheck; the two
meet through argv and JSON files. Importing this package does nothing.
"""
