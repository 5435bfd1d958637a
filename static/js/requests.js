// Failed htmx requests: an alert for the person, and no error in the console for a request that was only aborted.
import { hideAlert, showAlert } from "./alert.js";
import { NO_ANSWER, NOT_ALLOWED, serverError } from "./messages.js";

// Element -> the details of its unfinished request.
const unfinished = new Map();

// A newer request or another page aborts a request. htmx logs details.error, so the empty error keeps the console clean.
function clearError(details) {
  if (details) details.error = "";
}

document.addEventListener("htmx:beforeSend", (event) => unfinished.set(event.detail.elt, event.detail));
document.addEventListener("htmx:afterRequest", (event) => unfinished.delete(event.detail.elt));
document.addEventListener("htmx:abort", (event) => clearError(unfinished.get(event.target)), true);
addEventListener("beforeunload", () => unfinished.forEach(clearError));

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) hideAlert();
});
document.addEventListener("htmx:sendError", () => showAlert(NO_ANSWER));
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  // After a 401 the response itself leads to the sign-in page.
  if (status === 401) return;
  showAlert(status === 403 ? NOT_ALLOWED : serverError(status));
});
