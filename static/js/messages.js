// Sentences that scripts show to people. Text that never varies stays in its template.

export const NO_ANSWER = "Can't reach dexportal. This page may be out of date; retrying.";
export const NOT_ALLOWED = "You no longer have access to that.";
export const LIST_TOO_LARGE = "A list can be 2 MB at most. Split it.";

export function serverError(status) {
  return `dexportal returned an error (${status}).`;
}

export function selectionSummary(count) {
  return count ? `${count} selected` : "Selected:";
}
