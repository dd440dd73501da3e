<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/"><a n="{count(//b[count(//b[count(//b) > 0]) > 0])}"/></xsl:template>
</xsl:stylesheet>
