"""Plain, slow author disambiguation: average linkage and B-cubed by their definitions."""

from __future__ import annotations

from tests.oracle.ranking import cosine, mean


def b_cubed(truth, predicted):
    """Precision and recall of every signature, by looking at every pair."""
    precisions, recalls = [], []
    for i in range(len(truth)):
        same_found = [j for j in range(len(truth)) if predicted[j] == predicted[i]]
        same_truth = [j for j in range(len(truth)) if truth[j] == truth[i]]
        both = [j for j in same_found if j in same_truth]
        precisions.append(len(both) / len(same_found))
        recalls.append(len(both) / len(same_truth))
    return precisions, recalls


def f1(precision, recall):
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def linked(vectors, threshold):
    """Clusters, as lists of row numbers: the closest two are merged while they are close enough."""
    clusters = [[row] for row in range(len(vectors))]
    while len(clusters) > 1:
        closest = None
        for one in range(len(clusters)):
            for other in range(one + 1, len(clusters)):
                distances = [
                    1 - cosine(vectors[i], vectors[j])
                    for i in clusters[one]
                    for j in clusters[other]
                ]
                if closest is None or mean(distances) < closest[0]:
                    closest = (mean(distances), one, other)
        if closest[0] > threshold:
            break
        clusters[closest[1]] = clusters[closest[1]] + clusters[closest[2]]
        del clusters[closest[2]]
    return clusters


def predicted_of(blocks, threshold):
    """One label a signature over all blocks, and the label of no two blocks the same."""
    labels = []
    for number, vectors in enumerate(blocks):
        own = [None] * len(vectors)
        for place, rows in enumerate(linked(vectors, threshold)):
            for row in rows:
                own[row] = (number, place)
        labels.extend(own)
    return labels


def score(blocks, truths, threshold):
    """B-cubed F1 over all signatures of all blocks."""
    truth = [name for block in truths for name in block]
    precisions, recalls = b_cubed(truth, predicted_of(blocks, threshold))
    return f1(mean(precisions), mean(recalls))
