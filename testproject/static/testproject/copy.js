// A button that copies the code beside it, where the browser lets a page copy.
if (navigator.clipboard) {
  for (const code of document.querySelectorAll(".source pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet copy";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    code.before(button);
  }
}
