// Sentences that scripts show to people. Text that never varies stays in its template.

export const NO_ANSWER = "The portal does not answer. What is shown may be old; it is tried again.";
export const NOT_ALLOWED = "You don't have the right to that any more.";
export const LIST_TOO_LARGE = "A list takes 2 MB at most: split it.";

export function serverError(status) {
  return `The portal answered with an error (${status}).`;
}

export function selectionSummary(count) {
  return count ? `${count} ticked` : "Ticked:";
}
