"""English phrases for literature and the arts. Options stand between bars or on lines of their own."""

NOVELS = {
    "topic": """
        family secrets | lost letters | small-town gossip | a long-postponed wedding | first love
        exile and return | a quarrel between brothers | loyalty and betrayal | an unsolved disappearance
        a childhood friendship | the silence after a war | an inheritance nobody wants
        neighbours who never speak | growing up | a summer that went wrong | a runaway daughter
        a promise made too early | an unlikely marriage
    """,
    "person": """
        a retired ferryman | a young schoolteacher | a widowed clockmaker | a night porter | a village doctor
        a failed violinist | a stranger in a grey coat | an ageing judge | a lighthouse keeper | a translator
        the baker's youngest son | a postman with a secret | a twin sister | a cook who cannot taste
        an astronomer's widow | a painter without a studio | an engineer on leave | a gardener's apprentice
    """,
    "role": """
        ferryman | clockmaker | porter | violinist | stranger | judge | translator | postman | daughter
        neighbour | widow | innkeeper | tenant | passenger
    """,
    "noun": """
        house | orchard | letter | harbour | staircase | wedding | silence | suitcase | photograph | train
    """,
    "title": """
        The {role}'s {noun} | The {adj} {role} | What the {role} knew | A {noun} for {name}
        All the {noun}s of {name} | Before the {noun} | {name} and the {role} | The {noun} by the {thing}
        Nobody's {noun} | The {adj} {noun} | A {adj} {thing} | {name}, the following {season}
    """,
    "subtitle": "A novel | A story in {number} parts | A novel of {place} | Stories | A family story",
    "sentence": """
        When {person} comes back to {place}, old wounds open and {topic} can no longer be hushed up.
        In {place}, {person} finds a bundle of papers and is drawn into {topic}.
        {name} has left everything behind, until a phone call in the night brings back {topic}.
        It is a novel about {topic} and {topic}, told with warmth and a dry wit.
        Told by {number} voices, the story moves from {place} to {place} and never lets its characters rest.
        Between {name} and {person} grows an uneasy friendship that will change both their lives.
        The plot turns on {topic}, but its heart is the tenderness between people who have lost too much.
        Page after page the narrator circles around {topic}, and what happened comes out only at the end.
        For {name}, talk of {theme} was never more than a way to avoid {topic}.
        As the {season} draws on, {person} must choose between love and duty.
        A gripping tale of {topic}, with a heroine one does not soon forget.
        Nothing in the village is what it was, and {person} is the only one who dares to say so.
    """,
}

POETRY = {
    "topic": """
        rain on slate roofs | the names of birds | grief and consolation | longing
        the sound of a mother tongue | sleeplessness | the weight of small things | salt and snow | departures
        a late harvest | moonlight | the body in winter | forgetting | evening light | the first frost
        water and stone | a lover's absence
    """,
    "form": """
        sonnets | odes | haiku | elegies | prose poems | free verse | songs | ballads | couplets | lyrics
        villanelles
    """,
    "noun": "snow | salt | moth | lantern | swallow | reed | ash | dew | heron | pebble | frost | moss",
    "title": """
        {noun} and {noun} | {form} for the {season} | The {adj} {noun} | Songs for {name} | {number} {form}
        After the {noun} | A {thing} of {noun} | {noun}, {thing}, {noun} | The {thing} sings
        Where the {noun} sleeps | Breath | A {adj} {thing} | Letters to the {noun}
    """,
    "subtitle": "Poems | Selected poems | Collected {form} | New and selected poems | {form} and {form}",
    "sentence": """
        These poems listen to {topic} and find a music of their own there.
        The collection gathers {number} {form} written over {time}, many of them printed for the first time.
        In spare lines and unrhymed {form}, the poet returns again and again to {topic}.
        A voice at once intimate and estranged speaks of {topic}, of {topic}, of what cannot be said.
        From {form} to {form}, the cadence never falters and the breath stays free.
        Image follows image, until {topic} may stand for everything that passes.
        The middle sequence, a cycle of {form}, is among the most tender things written about {topic}.
        Even {theme} can turn to song here, line by line, stanza by stanza.
        Each stanza holds its silence; between two lines lies a whole {season}.
        The original and a facing translation let the reader hear rhythm, rhyme and refrain.
        What is left after {topic}? The poet answers with {noun}, with {noun}, with a few bare words.
        A slim volume of verse in which {place} is remembered by its sounds and its weather.
    """,
}

VISUAL_ART = {
    "topic": """
        watercolour | ink and brush | portraiture | landscape painting | printmaking | the still life
        colour mixing | light and shadow | charcoal drawing | composition | woodcuts | the artist's sketchbook
        abstract painting | fresco technique | gesture drawing | the human figure | perspective
        pigments and binders | oil glazes
    """,
    "group": """
        the northern school | a circle of landscape painters | the harbour studio
        three generations of engravers | the workshop masters | a forgotten colony of artists
        the court painters | women at the easel
    """,
    "noun": "brush | canvas | studio | gallery | easel | palette | ink | sketch | portrait | fresco",
    "title": """
        The art of {topic} | Drawing {topic2} | Seeing {topic2} | {topic}: a studio course | The {adj} {noun}
        The {noun} and the {thing} | From {noun} to {noun} | Masters of {topic} | A history of {topic}
        Painting {place} | How to look at {topic} | The language of {topic} | {noun} and {thing}
    """,
    "topic2": """
        hands and faces | trees | the figure | water | light | faces | cities | animals | the everyday
        clouds
    """,
    "subtitle": """
        A practical course | Catalogue of the exhibition | With {number} colour plates | Works on paper
        From {noun} to {noun} | Methods, materials, masters
    """,
    "sentence": """
        The book presents {number} works from {group}, each in a full-page colour plate.
        Step by step it teaches {topic} and {topic}, from the first pencil line to the finished picture.
        Published with the exhibition of the same name, the catalogue shows how {group} understood {topic}.
        The painter's hand, the choice of paper and the quality of the brush are discussed in detail.
        {group} broke with academic rules and made {topic} the centre of their work.
        Exercises in {topic} train the eye to see tone, contour and negative space.
        Essays by curators place the paintings beside prints, sketches and letters from the studio.
        Every chapter looks closely at one canvas and asks how the artist handled {topic}.
        How does a sheet of paper become a picture? The answer given here begins with {topic}.
        Even {theme} can become a subject, as the drawings from {place} make plain.
        Notes on {topic}, on pigments and on the care of brushes complete the course.
        The colour reproductions are excellent, and the details show every stroke of the brush.
    """,
}

COOKING = {
    "topic": """
        sourdough bread | noodle soups | pickles and ferments | seasonal vegetables | dumplings | slow braises
        one-pot suppers | cakes for a crowd | fish and shellfish | street food | breakfast dishes
        jams and preserves | vegetarian cooking | rice and grains | spice blends | cooking over fire
        leftovers | broths and stocks
    """,
    "ingredient": """
        ginger and spring onion | brown butter | smoked paprika | lemon and thyme | black beans
        toasted sesame | leeks | white pepper | mushrooms | chickpeas | star anise | sweet potatoes
        vinegar and honey | dried plums | garlic
    """,
    "noun": "kitchen | table | oven | pantry | bowl | market | stove | supper | recipe | feast",
    "title": """
        The {adj} {noun} | {topic} | {topic} for every {season} | The {noun} of {place} | Simply {topic}
        {name}'s {noun} | A year of {topic} | {ingredient} | From {noun} to {noun}
        {number} ways with {ingredient} | The book of {topic} | Home for {noun} | {season} at the {noun}
    """,
    "subtitle": """
        {number} recipes | Recipes from {place} | Everyday cooking for small kitchens
        {number} dishes for family and friends | Cooking through the {season}
    """,
    "sentence": """
        More than {number} recipes for {topic} and {topic}, tested in an ordinary home kitchen.
        The dishes use {ingredient}, {ingredient} and little else, and most are on the table in half an hour.
        From {topic} to {topic}, each recipe lists shopping, timing and what can be prepared a day ahead.
        The author learned {topic} in {place} and cooks it the way families there still do.
        Clear photographs show how to knead, fold, simmer and season.
        A chapter on {topic} explains heat, salt and acidity in plain words.
        Menus for the {season} pair {topic} with salads, sauces and something sweet.
        With {ingredient} in the cupboard, supper is never far away.
        The flavours of {place} come to the table: {ingredient}, {ingredient}, a squeeze of lime.
        It is as much about eating together as about {topic}.
        There are stories between the recipes, some of them about {theme}, all of them about appetite.
        Notes on knives, pans and ovens help the beginner, and the desserts will please everyone.
    """,
}
