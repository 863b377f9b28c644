"""English phrases that any book may use, whatever its category."""

SHARED = {
    "place": """
        the coastal north | a river town | the highlands | a harbour city | the old capital | the archipelago
        the borderlands | the eastern valleys | a mining town | the southern lowlands | a mountain village
        the delta
    """,
    "time": """
        three generations | twenty years | a whole century | several decades | one long decade
        half a lifetime | many seasons
    """,
    "season": "spring | summer | autumn | winter",
    "adj": """
        quiet | long | hidden | second | last | open | bright | patient | slow | small | distant | broken
        golden | silent | blue | restless | narrow | unfinished
    """,
    "thing": """
        garden | window | road | bridge | river | lamp | map | morning | door | island | shore | hour | wind
        field | mirror | clock | shadow | stone
    """,
    "name": """
        Ilva | Torren | Mirel | Daska | Orrin | Selka | Brannic | Nevra | Yorik | Tamsel | Veshna | Lumo
        Karsel | Pelle
    """,
    "number": "three | five | seven | nine | twelve | twenty | thirty | forty | fifty | eighty | a hundred",
    "reader": """
        general readers | students | curious beginners | readers of all ages | teachers and students
        book clubs | practitioners | anyone who likes to be surprised | those who have no time for thick books
        the interested public | young adults
    """,
    "device": """
        a short anecdote | an open question | a letter | a picture | a summary | a walk through {place}
        a timeline | suggestions for further reading | a conversation | a puzzle | a quotation
    """,
    "extra": """
        a new foreword | an index of names | a glossary | an up-to-date bibliography | a chapter on {theme}
        many illustrations | an afterword by the author | a timeline | suggestions for discussion
    """,
    "title": """
        The {adj} {thing} | On {theme} | {thing} and {thing} | Notes on {theme} | In search of {theme}
        The {thing} and the {thing} | A {adj} {thing} | Beyond {place} | {season} in {place}
        Thinking about {theme} | {number} {season}s | The other side of the {thing} | A companion to {theme}
    """,
    "subtitle": "An introduction | Essays | A companion | A personal view | Second edition | For {reader}",
    "sentence": """
        It is written for {reader} and asks for no earlier knowledge.
        Each chapter opens with {device} and closes with {device}.
        This new edition has been revised throughout and contains {extra} and {extra}.
        The author has spent {time} with the subject, and it shows on every page.
        Readers who know {place} will find much that is familiar here, and some things that are not.
        What begins with {theme} soon leads somewhere else entirely.
        The tone is calm, the argument clear, and the humour well hidden.
        {number} short chapters make it easy to read on the train.
        The first half is set in {place}, the second in {place}.
        Its starting point is a simple question, and the answer takes up the whole book.
        Few books have explained so much in so little space.
        {reader} will come back to it more than once.
        The book grew out of talks given in {place} and keeps their lively tone.
        Along the way there is much to learn about {theme}, and about people.
        Long out of print, it is now available again, with {extra}.
        It can be read from cover to cover or opened anywhere.
        The illustrations were made for this edition, and {extra} rounds it off.
        Not everyone will agree with its conclusions, which is one reason to read it.
        Between {theme} and daily life the author finds unexpected links.
        A sequel to an earlier volume, it can be read on its own.
        There are detours: one to {place}, one to {theme}, and one that leads nowhere.
        It rewards slow reading.
        It belongs to long evenings in {season} and to an old armchair.
        A book for {reader}, to give away or to keep.
        Much has been written on the matter; little of it is as readable as this.
        Where the facts are uncertain, the author says so.
    """,
}
