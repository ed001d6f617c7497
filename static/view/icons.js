/** Paths of the icons: 16 units square, drawn as lines. */
export const ICONS = {
  add: "M8 3v10M3 8h10",
  back: "M10 3 5 8l5 5",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M6 5h7v8H6zM3 10V3h7",
  down: "M4 6l4 4 4-4",
  download: "M8 2v8M5 7l3 3 3-3M3 13h10",
  link: "M7 9l2-2M6 7 4 9a2 2 0 0 0 3 3l2-2M10 9l2-2a2 2 0 0 0-3-3L7 6",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  pause: "M6 4v8M10 4v8",
  play: "M5 3l8 5-8 5z",
  received: "M8 3v10M4 9l4 4 4-4",
  sent: "M8 13V3M4 7l4-4 4 4",
};
