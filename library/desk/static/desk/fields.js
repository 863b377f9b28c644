"use strict";
/* Fetches the scripts that make lists to type in (library/desk/fields.py names them, for browsers to leave alone) when
   the first such field is in sight: those in a closed part of a page may never be. */

(() => {
  const sight = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    sight.disconnect();
    document.querySelectorAll('script[type="text/field"]').forEach(({ src }) => {
      const script = document.createElement("script");
      script.src = src;
      script.async = false; // each needs those before it
      document.head.append(script);
    });
  });
  document.querySelectorAll("select.admin-autocomplete").forEach((field) => sight.observe(field));
})();
