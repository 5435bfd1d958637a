// Times in the viewer's own time zone: ages, exact times, elapsed times and progress bars, renewed every second.
import { setText } from "./text.js";

const clockTime = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exactTime = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const fullTime = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long" });

function formatDay(at, now) {
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86400000);
  if (days === 0) return "today";
  if (days === 1) return "yesterday";
  if (days === -1) return "tomorrow";
  return (at.getFullYear() === now.getFullYear() ? day : dayAndYear).format(at);
}

function formatAge(at, now) {
  const seconds = Math.round((now - at) / 1000);
  if (seconds < -60) {
    const hours = Math.round(-seconds / 3600);
    return hours < 48 ? `in ${Math.max(1, hours)} h` : `in ${Math.round(hours / 24)} days`;
  }
  if (seconds < 60) return `${Math.max(0, seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${formatDay(at, now)} ${clockTime.format(at)}`;
}

function formatExactTime(at, now) {
  const dayText = formatDay(at, now);
  return dayText === "today" ? exactTime.format(at) : `${dayText} ${exactTime.format(at)}`;
}

function formatDuration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const twoDigits = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${twoDigits(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${twoDigits(minutes % 60)}:${twoDigits(whole % 60)}`;
}

export function updateTimes() {
  const now = new Date();
  for (const element of document.querySelectorAll("time[data-when]")) {
    const at = new Date(element.dateTime);
    setText(element, element.dataset.when === "ago" ? formatAge(at, now) : formatExactTime(at, now));
    if (!element.title) element.title = fullTime.format(at);
  }
  for (const element of document.querySelectorAll("[data-elapsed]")) {
    const elapsed = (now - new Date(element.dataset.elapsed)) / 1000;
    const total = Number(element.dataset.total || 0);
    const isWithinTotal = total && elapsed <= total;
    setText(element, isWithinTotal ? `${formatDuration(elapsed)} of ${formatDuration(total)}` : formatDuration(elapsed));
  }
  for (const bar of document.querySelectorAll("progress[data-since]")) {
    bar.value = Math.min(bar.max, (now - new Date(bar.dataset.since)) / 1000);
  }
}

// A hidden tab updates its times when it is shown again (polling.js).
setInterval(() => document.hidden || updateTimes(), 1000);
