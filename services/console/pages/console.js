// Without this script a box is ticked and then saved; with it, ticking saves.
for (const form of document.querySelectorAll("form.switches")) {
  const save = form.querySelector(".save");
  if (!save) continue;
  save.hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
}
